"""The snapshot in the hands of its owner: opened, checked, and asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Select

from core.clock import from_micros, to_micros
from core.errors import EnvironmentFaultError
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from segments.compiling.dialects import Extracted
from segments.snapshot.dialect import to_duckdb
from segments.snapshot.extraction import Keys, declarations, declared_keys, extracted_of
from segments.snapshot.files import Folder, folder_of, owning
from segments.snapshot.shape import shapes
from segments.snapshot.source import Positions
from segments.snapshot.words import first_row

if TYPE_CHECKING:
    import duckdb

_FORM = 2  # rises when what the files mean changes
_MEMORY = "900MB"
_THREADS = 2
META = "snapshot_meta"


@dataclass(frozen=True, slots=True)
class Meta:
    """What a snapshot says of itself. `form` tells of which tables, columns, workspace and database it is."""

    form: str
    built_at: datetime
    brought_at: datetime  # when the system of record was last looked at
    positions: Positions


@dataclass(slots=True)
class Owned:
    """Ours alone for the length of the block; `connection` is None while no file can be trusted."""

    folder: Folder
    keys: Mapping[str, Keys]
    form: str
    connection: duckdb.DuckDBPyConnection | None = None

    @property
    def opened(self) -> duckdb.DuckDBPyConnection:
        if self.connection is None:
            raise RuntimeError("the snapshot is not open")
        return self.connection

    @property
    def extracted(self) -> Extracted:
        return extracted_of(self.opened, self.keys)

    def fetch(self, query: Select[Any]) -> dict[str, Any]:
        """The columns of the answer as numpy arrays, by name; the rows in no order, which would cost a seventh more."""
        statement = to_duckdb(query, self.extracted)
        self.opened.execute("SET preserve_insertion_order = false")
        try:
            return self.opened.execute(statement).fetchnumpy()
        finally:
            self.opened.execute("SET preserve_insertion_order = true")  # building keeps what lies together

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@contextmanager
def own_snapshot(runtime: Runtime) -> Iterator[Owned]:
    """The snapshot of `runtime`, ours until the end of the block; raises ConflictError while it is another's.

    A file that is missing, damaged or of another form is not opened: `delta.bring_up_to_date` builds it anew.
    """
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    folder, keys = folder_of(runtime.settings), declared_keys(workspace)
    with owning(folder):
        owned = Owned(folder, keys, form_of(runtime, workspace, keys))
        owned.connection = open_trusted(folder.working, folder, owned.form)
        try:
            with _readable_faults():
                yield owned
        finally:
            owned.close()


@contextmanager
def _readable_faults() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        cause = str(error).strip().splitlines()[0]
        raise EnvironmentFaultError(
            f"the snapshot of segments cannot be used: {cause}. `postilion segments snapshot --rebuild` makes it anew."
        ) from error


def form_of(runtime: Runtime, workspace: Workspace, keys: Mapping[str, Keys]) -> str:
    """A hash of everything that a file must agree with."""
    said = [
        _FORM,
        workspace.slug,
        runtime.database.url.render_as_string(hide_password=True),
        [[shape.name, [[one, shape.declaration(one)] for one in shape.columns]] for shape in shapes()],
        {table: declarations(of) for table, of in keys.items()},
    ]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:32]


def open_file(file: Path, folder: Folder, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(
        str(file),
        read_only=read_only,
        config={"threads": _THREADS, "memory_limit": _MEMORY, "temp_directory": str(folder.spill)},
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def open_trusted(file: Path, folder: Folder, form: str) -> duckdb.DuckDBPyConnection | None:
    """None for a file that is not there, cannot be read or is of another form."""
    import duckdb

    if not file.exists():
        return None
    try:
        connection = open_file(file, folder)
    except duckdb.Error:
        return None
    try:
        if read_meta(connection).form == form:
            return connection
    except (duckdb.Error, msgspec.DecodeError, ValueError, TypeError):
        pass
    connection.close()
    return None


def write_meta(connection: duckdb.DuckDBPyConnection, meta: Meta) -> None:
    said = {"form": meta.form, "built_at": to_micros(meta.built_at), "brought_at": to_micros(meta.brought_at)}
    document = msgspec.json.encode({**said, "positions": meta.positions}).decode()
    connection.execute(f"CREATE OR REPLACE TABLE {META} (said VARCHAR)")
    connection.execute(f"INSERT INTO {META} VALUES (?)", [document])


def read_meta(connection: duckdb.DuckDBPyConnection) -> Meta:
    said = msgspec.json.decode(first_row(connection, f"SELECT said FROM {META}")[0])
    positions = msgspec.convert(said["positions"], Positions)
    return Meta(said["form"], from_micros(said["built_at"]), from_micros(said["brought_at"]), positions)
