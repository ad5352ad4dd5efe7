"""Importing one file: batch by batch, each in one transaction with its checkpoint, good rows never stopped by bad ones.

Killed at any moment and started again it goes on after the last committed batch and ends with the same rows. For every
file, lines read = imported + unchanged + rejected.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Counts
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.errors import ConfigError, InputError
from core.ids import content_hash
from core.runtime import Runtime
from core.suggest import did_you_mean
from customers.imports.checkpoint import Checkpoint, open_checkpoint, save_checkpoint
from customers.imports.fields import FIELDS, ImportKind
from customers.imports.job import Importer, Job, Outcome
from customers.imports.kinds import IMPORTERS
from customers.imports.mapping import Mapping
from customers.imports.rejects import RejectsFile
from customers.imports.sources import Source, open_source
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
    file: Path
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
    file: Path,
    mapping: Mapping,
    *,
    progress: Progress,
    rejects_file: Path,
    now: datetime,
    batch_rows: int = BATCH_ROWS,
) -> ImportResult:
    """Import `file`; `progress` is told the rows done and, where it is known, how many there are.

    Raises InputError or ConfigError, with its place, when file or mapping cannot be used at all. A file that was
    imported before with this mapping is not read again.
    """
    if mapping.kind != kind:
        raise InputError(f"the mapping is for {mapping.kind} and not for {kind}: name its file with --mapping.")
    columns = mapping.column_names()
    job = Job(runtime.vault, workspace, mapping, columns, now)
    with open_source(file, mapping.format, mapping.encoding, mapping.delimiter, columns) as (source, fingerprint):
        _check_columns(mapping, source, file)
        key = content_hash(f"{mapping.kind}:{fingerprint.digest}:{mapping.content_hash}")
        with runtime.database.transaction() as connection:
            checkpoint = open_checkpoint(connection, key, mapping.kind, file.name, now)
        if checkpoint.is_done:
            return _repeat(checkpoint, mapping, file)
        rejects = RejectsFile(rejects_file, columns, _personal(mapping, workspace, columns))
        if rejects.length() < checkpoint.rejects_length:
            # Without what was rejected so far the file of rejects would be a lie: read everything again.
            checkpoint = Checkpoint(checkpoint.key, state=checkpoint.state)
        rejects.cut(checkpoint.rejects_length)
        importer = IMPORTERS[mapping.kind](job)
        importer.state = checkpoint.state
        with _rare_collections():
            _read(runtime, importer, source, checkpoint, rejects, columns, progress, batch_rows)
            _finish(runtime, importer, checkpoint, now)
    return _result(checkpoint, mapping, file, rejects_file)


def _read(
    runtime: Runtime,
    importer: Importer,
    source: Source,
    checkpoint: Checkpoint,
    rejects: RejectsFile,
    columns: Sequence[str],
    progress: Progress,
    batch_rows: int,
) -> None:
    row_count = 0
    for number, batch in enumerate(source.iter_batches(columns, batch_rows)):
        row_count += batch.read_count
        if row_count <= checkpoint.row_count:
            importer.skip(batch)
            continue
        if number % _BATCHES_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        with runtime.database.transaction() as connection:
            outcome = importer.import_batch(connection, batch)
            outcome.refused.sort(key=lambda refused: refused.line)
            rejects.append(outcome.refused)
            checkpoint.row_count = row_count
            _count(checkpoint, outcome)
            checkpoint.state = importer.state
            checkpoint.rejects_length = rejects.length()
            save_checkpoint(connection, checkpoint)
        progress(row_count, source.row_count)


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


def _finish(runtime: Runtime, importer: Importer, checkpoint: Checkpoint, now: datetime) -> None:
    remains = True
    while remains:
        with runtime.database.transaction() as connection:
            remains = importer.finish(connection)
            checkpoint.state = importer.state
            save_checkpoint(connection, checkpoint, None if remains else now)


def _count(checkpoint: Checkpoint, outcome: Outcome) -> None:
    checkpoint.imported_count += outcome.imported_count
    checkpoint.unchanged_count += outcome.unchanged_count
    checkpoint.refused.update(refused.reason for refused in outcome.refused)
    checkpoint.details.update(outcome.details)


def _check_columns(mapping: Mapping, source: Source, file: Path) -> None:
    """Every mapped column must stand in the file; the fault points at the mapping."""
    if source.columns is None:
        return
    doubled = [name for name, times in Counter(source.columns).items() if times > 1 and name in mapping.column_names()]
    if doubled:
        raise InputError(f"{file} has two columns named '{doubled[0]}': rename one of them.")
    places: dict[str | None, tuple[str, ...]] = {}
    if mapping.returns is not None:
        places[mapping.returns.column] = ("returns", "column")
    for name, spec in mapping.columns.items():
        is_long = mapping.located is not None and isinstance(mapping.located.data["columns"][name], dict)
        places[spec.column] = ("columns", name, "column") if is_long else ("columns", name)
    faults = []
    for name in mapping.column_names():
        if name in source.columns:
            continue
        message = f"{file.name} has no column '{name}'"
        hint = did_you_mean(name, source.columns) or "it has " + ", ".join(source.columns[:20])
        if mapping.located is None:
            raise InputError(f"{message}, {hint}")
        faults.append(mapping.located.fault("E120", places[name], message, hint))
    if faults:
        raise ConfigError(faults)


def _personal(mapping: Mapping, workspace: Workspace, columns: Sequence[str]) -> frozenset[int]:
    """The places of cells with personal data: addresses, and attributes that are personal or not declared."""
    fields = FIELDS[mapping.kind]
    places = set()
    for name, column in mapping.columns.items():
        spec = workspace.attributes.get(name)
        is_plain = name in fields.known - fields.personal or name.startswith("consent.")
        if column.column is not None and not is_plain and (spec is None or spec.is_personal):
            places.add(columns.index(column.column))
    return frozenset(places)


def _repeat(checkpoint: Checkpoint, mapping: Mapping, file: Path) -> ImportResult:
    there = checkpoint.imported_count + checkpoint.unchanged_count
    return ImportResult(mapping.kind, file, checkpoint.row_count, 0, there, dict(checkpoint.refused), is_repeat=True)


def _result(checkpoint: Checkpoint, mapping: Mapping, file: Path, rejects_file: Path) -> ImportResult:
    return ImportResult(
        kind=mapping.kind,
        file=file,
        read_count=checkpoint.row_count,
        imported_count=checkpoint.imported_count,
        unchanged_count=checkpoint.unchanged_count,
        rejected=dict(checkpoint.refused.most_common()),
        details={name: count for name, count in checkpoint.details.items() if count},
        rejects_file=rejects_file if checkpoint.refused else None,
    )
