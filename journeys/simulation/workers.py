"""Shares the chunks of a simulation out among processes, and hands back what came of each in their order.

The processes are forked, so that they have the plan and the events as this one has them; only numbers of people and
counts go from one to another. They open connections of their own.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from core.heap import collect_seldom
from core.runtime import Runtime

T = TypeVar("T")
Ids = Sequence[int]
_AHEAD = 2  # chunks that are given out for each worker, so that none waits for its next

_work: Callable[[Ids], Any] | None = None  # of this worker


def share_out(runtime: Runtime, work: Callable[[Ids], T], chunks: Sequence[Ids], workers: int | None) -> Iterator[T]:
    """`work` of each of `chunks`, in their order; `workers` None are as many as there are cores.

    One chunk, or one worker, needs no other process. The caller holds no connection, because one that two processes
    know is safe in neither.
    """
    count = min(_cores() if workers is None else workers, len(chunks))
    if count <= 1:
        yield from map(work, chunks)
        return
    runtime.database.engine.dispose()
    runtime.vault.store.engine.dispose()
    waiting = iter(chunks)
    given: deque[Future[T]] = deque()
    with ProcessPoolExecutor(count, multiprocessing.get_context("fork"), _begin, (work,)) as pool:
        try:
            given.extend(pool.submit(_serve, ids) for ids in islice(waiting, _AHEAD * count))
            while given:
                outcome = given.popleft().result()
                given.extend(pool.submit(_serve, ids) for ids in islice(waiting, 1))
                yield outcome
        finally:
            for one in given:  # who has lost interest, or has met an error, waits only for what is being worked at
                one.cancel()


def _cores() -> int:
    """How many this process may use; one where the system cannot fork."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _begin(work: Callable[[Ids], Any]) -> None:
    global _work  # noqa: PLW0603 - set once, before the first chunk: a function cannot go over a pipe
    _work = work
    collect_seldom()


def _serve(ids: Ids) -> Any:
    assert _work is not None
    return _work(ids)
