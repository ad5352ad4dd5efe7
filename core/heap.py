"""Garbage is collected seldom in processes that make objects by the million and keep few of them in circles.

Python looks for circles after every 700 new objects; of what lives as long as the process it then looks through all,
again and again. Measured: a fifth of the CPU of storing an event, a tenth of that of composing a mail.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 50


def collect_seldom() -> None:
    """For the entry of a process, once it has imported what it works with; memory stays flat."""
    gc.collect()
    gc.freeze()  # what is there by now stays, and need not be looked through
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """The same for one piece of work in a process that does others beside it and afterwards."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
