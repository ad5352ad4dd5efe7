"""One step ahead: the next batch is parsed in a thread of its own while the database writes the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Prepared = TypeVar("Prepared")


def one_ahead(items: Iterable[T], prepare: Callable[[T], Prepared]) -> Iterator[tuple[T, Prepared]]:
    """Each of `items` with what `prepare` makes of it, in their order.

    `items` is iterated by the caller's thread alone; what `prepare` raises is raised here, at its item.
    """
    with ThreadPoolExecutor(1, "import-ahead") as other:
        waiting = None
        for item in items:
            begun = item, other.submit(prepare, item)
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = begun
        if waiting is not None:
            yield waiting[0], waiting[1].result()
