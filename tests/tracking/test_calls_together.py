"""Requests that are stored together are answered as if each had come alone."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from core.runtime import Runtime
from customers.tables import customer_event
from customers.workspace import get_workspace
from tracking.events.envelope import Envelope
from tracking.events.event_spec import Call, Left, read_call
from tracking.events.record_calls import CallBatch, Taken, record_all_calls, record_calls
from tracking.events.write_keys import WriteKey, WriteKeyKind
from tracking.tables import quarantine

WEB, BACKEND = WriteKey("web", WriteKeyKind.PUBLIC), WriteKey("backend", WriteKeyKind.SECRET)


def call(runtime: Runtime, text: str) -> Call:
    return read_call(text.encode(), None, Envelope([]), runtime.clock.now())


def requests(runtime: Runtime) -> list[CallBatch]:
    """Good calls, calls that cannot be taken and calls of which something is passed over, from two senders."""
    now = runtime.clock.now()
    good = '{"type":"track","event":"Seen","userId":"alice","messageId":"%s"}'
    nameless = '{"type":"track","event":"","userId":"alice","messageId":"%s"}'
    odd = '{"type":"identify","userId":"bob","messageId":"%s","traits":{"email":"no address","name":"Bob"}}'
    joining = '{"type":"group","userId":"alice","groupId":"acme","messageId":"%s","traits":{"role":"juggler"}}'

    def batch(*texts: str, by: WriteKey = BACKEND, after_s: float = 0, unreadable: tuple[Left, ...] = ()) -> CallBatch:
        numbered = tuple((2 * place, call(runtime, text)) for place, text in enumerate(texts))
        return CallBatch(numbered, by, now + timedelta(seconds=after_s), unreadable)

    return [
        batch(good % 1, nameless % 2, good % 3),
        batch(odd % 4, nameless % 5, after_s=0.1, unreadable=(Left(1, "it is no JSON.", "{"),)),
        batch(good % 6, joining % 7, after_s=0.2),
        batch(nameless % 8, good % 9, by=WEB, after_s=0.3),
        batch(good % 10, after_s=0.4),
        batch(after_s=0.5),
    ]


def test_each_request_gets_its_own_answer_when_many_are_stored_together(runtime: Runtime) -> None:
    batches = requests(runtime)

    def store(together: bool) -> tuple[list[Taken], int, int]:
        with runtime.database.transaction() as connection:
            workspace = get_workspace(connection)
            with connection.begin_nested() as undone:
                if together:
                    taken = record_all_calls(connection, runtime.vault, workspace, batches)
                else:
                    taken = [record_calls(connection, runtime.vault, workspace, one) for one in batches]
                counts = [
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                    for table in (customer_event, quarantine)
                ]
                undone.rollback()
        return taken, counts[0], counts[1]

    alone = store(together=False)
    assert store(together=True) == alone
    taken, _, kept = alone
    assert [one.accepted for one in taken] == [2, 1, 2, 1, 1, 0]
    assert [[left.index for left in one.left] for one in taken] == [[2], [2], [], [0], [], []]
    assert [len(one.remarks) for one in taken] == [0, 1, 1, 0, 0, 0]
    assert kept == 4
