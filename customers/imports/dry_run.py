"""An import that is only tried: everything is read and compared, nothing is written, and nobody has to wait for it.

What it foresees, the import does, unless the data changes in between. Conflicts within the file are found exactly,
however long it is; memory stays flat.
"""

from __future__ import annotations

from collections.abc import Mapping as Counts
from dataclasses import dataclass
from datetime import datetime

from core.errors import InputError
from core.runtime import Runtime
from customers.imports.checked_columns import check_columns
from customers.imports.dry_examples import Example, Tally
from customers.imports.dry_rows import PREVIEWS, Preview
from customers.imports.fields import ImportKind
from customers.imports.job import Job
from customers.imports.mapping import Mapping
from customers.imports.run import Progress
from customers.imports.seen_rows import open_seen_rows
from customers.imports.sources import Origin, Source, open_source
from customers.workspace import Workspace

_BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class DryRun:
    """What an import would do. `counts` are rows by what would become of them, `rejected` rows by reason.

    `examples` are at most twenty, of each outcome some; `unread_columns` are those that the mapping neither reads nor
    skips.
    """

    kind: ImportKind
    file: str
    read_count: int
    counts: Counts[str, int]
    rejected: Counts[str, int]
    examples: tuple[Example, ...]
    unread_columns: tuple[str, ...]


def dry_run(
    runtime: Runtime,
    workspace: Workspace,
    kind: str,
    file: Origin,
    mapping: Mapping,
    *,
    progress: Progress,
    now: datetime,
    batch_rows: int = _BATCH_ROWS,
) -> DryRun:
    """Read all of `file` as `run_import` would. Raises as that does when file or mapping cannot be used at all."""
    if mapping.kind != kind:
        raise InputError(f"the mapping is for {mapping.kind} and not for {kind}: name its file with --mapping.")
    columns = mapping.column_names()
    job = Job(runtime.vault, workspace, mapping, columns, now)
    tally = Tally()
    read_count = 0
    with (
        open_source(file, mapping, workspace) as (source, _),
        open_seen_rows(runtime.settings.state_folder) as seen,
    ):
        check_columns(mapping, source, file)
        preview: Preview = PREVIEWS[mapping.kind](job, seen, tally)
        for batch in source.iter_batches(columns, batch_rows):
            with runtime.database.read() as connection:
                preview.look(connection, batch)
            read_count += batch.read_count
            progress(read_count, source.row_count)
        unread = _unread(source, mapping)
    counts = {name: count for name, count in tally.counts.items() if count}
    rejected = dict(tally.refused.most_common())
    return DryRun(mapping.kind, file.name, read_count, counts, rejected, tally.examples(), unread)


def _unread(source: Source, mapping: Mapping) -> tuple[str, ...]:
    used = {*mapping.column_names(), *mapping.skipped, ""}
    return tuple(name for name in dict.fromkeys(source.columns or ()) if name not in used)
