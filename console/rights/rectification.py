"""Putting right what is wrong about a person: attributes, and the address or number that they are reached at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from console.rights.family import load_living
from core.errors import InputError
from core.runtime import Runtime
from customers.addresses import normalise
from customers.profiles import get_profile, set_attributes
from customers.replacing import replace_address
from customers.rights import Request, Right, complete
from customers.tables import IdentityKind
from customers.workspace import Workspace

_ADDRESSES = (IdentityKind.EMAIL, IdentityKind.PHONE)


@dataclass(frozen=True, slots=True)
class Rectified:
    """`changed` names what is different now; `replaced` are the kinds of address whose consent does not pass over."""

    request: Request
    changed: tuple[str, ...]
    replaced: tuple[IdentityKind, ...]


def rectify(
    runtime: Runtime,
    workspace: Workspace,
    profile_id: int,
    values: Mapping[str, Any],
    *,
    addresses: Mapping[IdentityKind, str],
    requested_by: str,
    now: datetime,
) -> Rectified:
    """Set attributes (None takes one away) and replace addresses; the proof names them, and holds no value.

    Raises InputError for a value that does not fit its kind and for an address that is none, ConflictError for
    somebody who was erased, and for the address of somebody who was.
    """
    if not values and not addresses:
        raise InputError("say what is to be put right: name=value, --email or --phone.")
    for kind in _ADDRESSES:
        if kind.value in values:
            raise InputError(f"write --{kind} ADDRESS: {kind} is no attribute.")
    new = {kind: normalise(kind, value, workspace.country) for kind, value in addresses.items()}
    with runtime.database.transaction() as connection:
        ids, _status = load_living(connection, profile_id)
        survivor = ids[0]
        before = _facts(get_profile(connection, runtime.vault, survivor))
        set_attributes(connection, runtime.vault, workspace, survivor, values, now)
        after = _facts(get_profile(connection, runtime.vault, survivor))
        replaced = tuple(
            kind
            for kind, value in new.items()
            if replace_address(connection, runtime.vault, survivor, kind, value, now)
        )
        names = [name for name in values if before.get(name) != after.get(name)]
        changed = (*names, *(kind.value for kind in replaced))
        request = complete(
            connection,
            ids,
            Right.RECTIFY,
            requested_by=requested_by,
            proof={"changed": list(changed)},
            now=now,
            zone=ZoneInfo(workspace.timezone),
        )
    return Rectified(request, changed, replaced)


def _facts(person: Any) -> dict[str, Any]:
    columns = {name: getattr(person, name) for name in ("timezone", "country", "locale")}
    return {**person.attributes, **columns}
