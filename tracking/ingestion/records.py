"""What can be queued for storing, and who stores each kind: the functions that the ingestion is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from core.runtime import Runtime
from core.vault import Vault
from customers.workspace import get_workspace
from tracking.engagement import Engagement, record_engagement
from tracking.events.record_calls import CallBatch, record_all_calls
from tracking.ingestion.group_commit import Ingestion
from tracking.ingestion.loader import Loader
from tracking.ingestion.log_ingestion import LogIngestion
from tracking.ingestion.log_records import LoggedRecords
from tracking.ingestion.poison import Store
from tracking.ingestion.segment_writer import SegmentWriter
from tracking.ingestion.slots import create_slot
from tracking.open_counts import CountedOpen, record_open_counts
from tracking.pages.unsubscribe import ChoosePreferences, Unsubscribe, record_preferences, record_unsubscribe

Record = Engagement | CountedOpen | CallBatch | Unsubscribe | ChoosePreferences


def create_ingestion(runtime: Runtime) -> Ingestion[Record]:
    """The one writer of this process, to be started and stopped by whoever serves the routes."""
    store = store_in(runtime.vault)
    if not runtime.settings.has_log:
        return Ingestion(runtime.database, store)
    root = runtime.settings.ingestion_folder
    loader = Loader(runtime.database, runtime.vault, runtime.clock, store_logged(runtime.vault), root)
    return LogIngestion(
        runtime.database, store, runtime.vault, runtime.clock, lambda: SegmentWriter(create_slot(root)), loader
    )


def store_in(vault: Vault) -> Callable[[Connection, Sequence[Record]], list[Any]]:
    """`store(connection, records)`: answers for each what its own function answers, None for an open or a click."""

    def store(connection: Connection, records: Sequence[Record]) -> list[Any]:
        # Opens and clicks come in numbers and depend on nothing else in the batch: they are stored together.
        record_engagement(connection, [record for record in records if isinstance(record, Engagement)])
        record_open_counts(connection, [record for record in records if isinstance(record, CountedOpen)])
        if all(isinstance(record, Engagement | CountedOpen) for record in records):
            return [None] * len(records)
        workspace = get_workspace(connection)
        results: list[Any] = []
        for kind, some in groupby(records, key=type):
            together: Any = list(some)
            if kind is CallBatch:
                results += record_all_calls(connection, vault, workspace, together)
            elif kind is Unsubscribe:
                results += [record_unsubscribe(connection, vault, workspace, one) for one in together]
            elif kind is ChoosePreferences:
                results += [record_preferences(connection, vault, workspace, one) for one in together]
            else:
                results += [None] * len(together)
        return results

    return store


def store_logged(vault: Vault) -> Store:
    """`store(connection, records)` for what comes out of the log: nobody waits for an answer to each."""

    def store(connection: Connection, records: LoggedRecords) -> None:
        record_engagement(connection, records.engagements)
        record_open_counts(connection, records.opens)
        if records.calls:
            record_all_calls(connection, vault, get_workspace(connection), records.calls)

    return store
