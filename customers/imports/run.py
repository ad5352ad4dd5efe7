"""Importing one file: batch by batch, each in one transaction with its checkpoint, good rows never stopped by bad ones.

Killed at any moment and started again it goes on after the last committed batch and ends with the same rows. For every
file, lines read = imported + unchanged + rejected.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Counts
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.errors import InputError
from core.ids import content_hash
from core.runtime import Runtime
from customers.imports.ahead import one_ahead
from customers.imports.batch import Batch
from customers.imports.checked_columns import check_columns, personal_places
from customers.imports.checkpoint import Checkpoint, open_checkpoint, save_checkpoint
from customers.imports.fields import ImportKind
from customers.imports.job import Importer, Job, Outcome
from customers.imports.kinds import IMPORTERS
from customers.imports.mapping import Mapping
from customers.imports.rejects import RejectsFile
from customers.imports.sources import Origin, Source, open_source
from customers.imports.turns import Turn
from customers.workspace import Workspace

Progress = Callable[[int, int | None], None]

BATCH_ROWS = 20_000
_BATCHES_BETWEEN_COLLECTIONS = 10


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a file's rows. `details` counts what they made: orders, returns, anonymous, profiles …

    `is_repeat`: this file was imported before with this mapping, so it was not read again. `rejects_file` is None when
    nothing was rejected.
    """

    kind: ImportKind
    file: Path | str
    read_count: int
    imported_count: int
    unchanged_count: int
    rejected: Counts[str, int]
    details: Counts[str, int] = field(default_factory=dict)
    is_repeat: bool = False
    rejects_file: Path | None = None

    @property
    def rejected_count(self) -> int:
        return sum(self.rejected.values())


def run_import(
    runtime: Runtime,
    workspace: Workspace,
    kind: str,
    file: Origin,
    mapping: Mapping,
    *,
    progress: Progress,
    rejects_file: Path,
    now: datetime,
    batch_rows: int = BATCH_ROWS,
) -> ImportResult:
    """Import the file or query `file`; `progress` is told the rows done and, where it is known, how many there are.

    Raises InputError or ConfigError, with its place, when file or mapping cannot be used at all. A file that was
    imported before with this mapping is not read again.
    """
    if mapping.kind != kind:
        raise InputError(f"the mapping is for {mapping.kind} and not for {kind}: name its file with --mapping.")
    columns = mapping.column_names()
    with open_source(file, mapping, workspace) as (source, fingerprint):
        check_columns(mapping, source, file)
        key = content_hash(f"{mapping.kind}:{fingerprint.digest}:{mapping.content_hash}")
        with runtime.database.transaction() as connection:
            checkpoint = open_checkpoint(connection, key, mapping.kind, file.name, now)
        if checkpoint.is_done:
            return _repeat(checkpoint, mapping, file)
        turn = Turn(runtime, checkpoint.batch_id, f"the import of {file.name}")
        turn.take()
        try:
            with runtime.database.transaction() as connection:
                # Somebody else may have brought it on since we looked.
                checkpoint = open_checkpoint(connection, key, mapping.kind, file.name, now)
            if checkpoint.is_done:
                return _repeat(checkpoint, mapping, file)
            job = Job(runtime.vault, workspace, mapping, columns, now, checkpoint.batch_id)
            rejects = RejectsFile(rejects_file, columns, personal_places(mapping, workspace))
            checkpoint = _run(runtime, job, source, checkpoint, rejects, turn, progress, batch_rows)
        finally:
            turn.release()
    return _result(checkpoint, mapping, file, rejects_file)


def _run(
    runtime: Runtime,
    job: Job,
    source: Source,
    checkpoint: Checkpoint,
    rejects: RejectsFile,
    turn: Turn,
    progress: Progress,
    batch_rows: int,
) -> Checkpoint:
    """Import what the checkpoint leaves to be done; answers the last checkpoint."""
    if rejects.length() < checkpoint.rejects_length:
        # Without what was rejected so far the file of rejects would be a lie: read everything again.
        checkpoint = Checkpoint(checkpoint.batch_id, state=checkpoint.state)
    rejects.cut(checkpoint.rejects_length)
    importer = IMPORTERS[job.mapping.kind](job)
    importer.state = checkpoint.state
    with _rare_collections():
        waiting = _not_done(importer, source.iter_batches(job.columns, batch_rows), checkpoint.row_count)
        for number, (batch, prepared) in enumerate(one_ahead(waiting, importer.prepare), start=1):
            with runtime.database.transaction() as connection:
                turn.renew(connection)
                outcome = importer.import_batch(connection, prepared)
                outcome.refused.sort(key=lambda refused: refused.line)
                rejects.append(outcome.refused)
                checkpoint.row_count += batch.read_count
                _count(checkpoint, outcome)
                checkpoint.state = importer.state
                checkpoint.rejects_length = rejects.length()
                save_checkpoint(connection, checkpoint)
            progress(checkpoint.row_count, source.row_count)
            if number % _BATCHES_BETWEEN_COLLECTIONS == 0:
                gc.collect()
        _finish(runtime, importer, checkpoint, turn, job.now)
    return checkpoint


def _not_done(importer: Importer, batches: Iterable[Batch], done_count: int) -> Iterator[Batch]:
    """The batches after the first `done_count` rows; the importer hears of the others."""
    row_count = 0
    for batch in batches:
        row_count += batch.read_count
        if row_count <= done_count:
            importer.skip(batch)
        else:
            yield batch


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Rows are tuples without cycles, by the hundred thousand: looking for cycles would take a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _finish(runtime: Runtime, importer: Importer, checkpoint: Checkpoint, turn: Turn, now: datetime) -> None:
    remains = True
    while remains:
        with runtime.database.transaction() as connection:
            turn.renew(connection)
            remains = importer.finish(connection)
            checkpoint.state = importer.state
            save_checkpoint(connection, checkpoint, None if remains else now)


def _count(checkpoint: Checkpoint, outcome: Outcome) -> None:
    checkpoint.imported_count += outcome.imported_count
    checkpoint.unchanged_count += outcome.unchanged_count
    checkpoint.refused.update(refused.reason for refused in outcome.refused)
    checkpoint.details.update(outcome.details)


def _repeat(checkpoint: Checkpoint, mapping: Mapping, file: Origin) -> ImportResult:
    there = checkpoint.imported_count + checkpoint.unchanged_count
    return ImportResult(
        mapping.kind, _told(file), checkpoint.row_count, 0, there, dict(checkpoint.refused), is_repeat=True
    )


def _result(checkpoint: Checkpoint, mapping: Mapping, file: Origin, rejects_file: Path) -> ImportResult:
    return ImportResult(
        kind=mapping.kind,
        file=_told(file),
        read_count=checkpoint.row_count,
        imported_count=checkpoint.imported_count,
        unchanged_count=checkpoint.unchanged_count,
        rejected=dict(checkpoint.refused.most_common()),
        details={name: count for name, count in checkpoint.details.items() if count},
        rejects_file=rejects_file if checkpoint.refused else None,
    )


def _told(file: Origin) -> Path | str:
    """What may be shown: a query's address holds a password."""
    return file if isinstance(file, Path) else file.name
