"""What every importer is given, and what it answers for a batch of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.vault import Vault
from customers.imports.mapping import Mapping
from customers.imports.sources import Batch, Refused
from customers.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Job:
    """One import. `columns` are the file's columns in the order of a row's cells; `now` bounds dates."""

    vault: Vault
    workspace: Workspace
    mapping: Mapping
    columns: Sequence[str]
    now: datetime
    batch_id: int | None = None  # of import_batch; None in a dry run

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.mapping.timezone or self.workspace.timezone)

    @property
    def currency(self) -> str:
        return self.mapping.currency or self.workspace.currency


@dataclass(slots=True)
class Outcome:
    """Rows of one batch: written, there already, refused; and what they became, by name."""

    imported_count: int = 0
    unchanged_count: int = 0
    refused: list[Refused] = field(default_factory=list)
    details: Counter[str] = field(default_factory=Counter)


class Importer(Protocol):
    """One kind of import. `state` is saved with each batch and given back when an import goes on."""

    state: dict[str, Any]

    def skip(self, batch: Batch) -> None:
        """Pass over rows that were imported before this process began."""
        ...

    def prepare(self, batch: Batch) -> Any:
        """What can be made of rows without the database and before their turn; called in another thread."""
        ...

    def import_batch(self, connection: Connection, batch: Any) -> Outcome:
        """Write what `prepare` made of the next rows."""
        ...

    def finish(self, connection: Connection) -> bool:
        """One transaction's worth of what remains to be done after the last row; False when nothing remains."""
        ...


class SimpleImporter:
    """What importers have in common whose rows stand for themselves."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.state: dict[str, Any] = {}

    def skip(self, batch: Batch) -> None:
        pass

    def prepare(self, batch: Batch) -> Any:
        return batch

    def finish(self, connection: Connection) -> bool:
        return False
