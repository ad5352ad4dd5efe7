"""Erasing again what was erased since a database was copied.

The key store remembers every erasure and the database how far it has come; whatever is between is carried out before
the database serves. This is also what completes an erasure whose process was killed. Called by every edge that opens a
workspace to work with it: the commands, the web server, and the process that runs what is scheduled.
"""

from __future__ import annotations

import logging
from datetime import datetime

from core.cursors import get_position
from core.erasures import CURSOR, latest_erasure
from core.runtime import Runtime

_log = logging.getLogger("postilion.console")


def replay_erasures(runtime: Runtime, now: datetime) -> int:
    """Carry out the erasures that this database does not know of; answers how many there were.

    With nothing to do it costs one query of the key store, and one of the database where anybody was ever erased.
    """
    latest = latest_erasure(runtime.vault.store)
    if latest == 0:
        return 0
    with runtime.database.read() as connection:
        if get_position(connection, CURSOR).row_id >= latest:
            return 0
    from console.rights.erasure import carry_out  # every package's tables: too heavy for a command that has no need

    count = carry_out(runtime, now)
    if count:
        _log.warning("%d erasures were carried out on this database, which did not know of them", count)
    return count
