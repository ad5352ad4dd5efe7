"""How commands speak: tables and sentences for people, one JSON document for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]

Progress = Callable[[int, int | None], None]


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for a person; numbers stand right-aligned with thousands separated."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="dim", box=SIMPLE_HEAD)
    for number, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console = Console()
    console.print(f"[bold]{title}[/]", soft_wrap=True)  # beside its table it would be broken to the table's width
    console.print(table)


def say(text: str) -> None:
    """A sentence for a person, on standard output."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=True).print(text)


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return str(value)


@contextmanager
def progress(description: str, unit: str = "") -> Iterator[Progress]:
    """A progress bar on standard error; the function it yields takes (done, total or None)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import (
        Progress as Bar,
    )

    console = Console(stderr=True)
    columns = [
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn(f"{description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    ]
    with Bar(*columns, console=console, transient=False) as bar:
        task = bar.add_task(description, total=None)

        def report(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield report
        finished = bar.tasks[0].completed
        bar.update(task, total=finished or 1, completed=finished or 1)
