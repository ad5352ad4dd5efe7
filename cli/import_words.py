"""What `postilion import` says to a person about an import, a dry run and the imports of the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.output import print_table, say

if TYPE_CHECKING:
    from customers.imports.batches import ImportBatch
    from customers.imports.dry_run import DryRun
    from customers.imports.run import ImportResult


def print_result(result: ImportResult) -> None:
    if result.is_repeat:
        say("This file was imported before with this mapping: nothing to do.")
    outcomes = {"read": result.read_count, "imported": result.imported_count, "unchanged": result.unchanged_count}
    rejected = {f"rejected: {reason}": count for reason, count in sorted(result.rejected.items())}
    name = result.file if isinstance(result.file, str) else result.file.name
    print_table(f"{name} as {result.kind}", ["lines", "count"], list((outcomes | rejected).items()))
    if result.details:
        say("That made " + ", ".join(f"[bold]{count:,}[/] {what}" for what, count in result.details.items()) + ".")
    if result.rejects_file is not None:
        say(f"The rejected lines with their reasons: [bold]{result.rejects_file}[/]")


def print_dry_run(tried: DryRun) -> None:
    from rich.markup import escape

    rejected = {f"rejected: {reason}": count for reason, count in sorted(tried.rejected.items())}
    counts = {name.replace("_", " "): count for name, count in tried.counts.items()}
    rows = list(({"read": tried.read_count} | counts | rejected).items())
    print_table(f"{tried.file} as {tried.kind}, tried and not imported", ["what would be", "count"], rows)
    if tried.unread_columns:
        say(f"Columns that the mapping neither reads nor skips: {escape(', '.join(tried.unread_columns))}.")
    if tried.examples:
        say("Examples, personal values masked:")
    for one in tried.examples:
        say(f"  line {one.line}  [bold]{one.what.replace('_', ' ')}[/]  {escape(one.who)}")
        for name, old, new in one.changes:
            before = f"{escape(old)} → " if old is not None else ""
            say(f"      {escape(name)}: {before}{escape(new if new is not None else '–')}")
    say("Nothing was written.")


def print_batches(batches: Sequence[ImportBatch]) -> None:
    rows = [
        (
            str(one.id),
            one.kind,
            one.file,
            f"{one.started_at:%Y-%m-%d}",
            f"{one.imported_count:,} of {one.read_count:,}",
            one.status,
        )
        for one in batches
    ]
    print_table("Imports", ["number", "kind", "file", "begun", "imported", "status"], rows)
