"""What an operation is, and the table each service keeps of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox.account import Account
from sandbox.wire.protocols import Call, Document

Handler = Callable[[Account, Call], Awaitable[Document]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`sends` marks the calls that accept a message: only these are slowed, dropped or answered by 500 on
    purpose.
    """

    name: str
    handle: Handler
    sends: bool = False
