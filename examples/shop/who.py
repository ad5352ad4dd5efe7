"""Who stands behind an address, and how they answer mail."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from core.runtime import Runtime
from customers.tables import IdentityKind, identity
from examples.shop.truth import Response, Truth

_CUSTOMER = re.compile(r"customer-(.+)@")


@dataclass(frozen=True, slots=True)
class Directory:
    """`find` answers external id and planted chances of an address; `people` are those who buy of their own accord."""

    find: Callable[[str], tuple[str, Response] | None]
    people: Mapping[str, Response]


def known_people(profiles: Path, truth: Truth) -> Directory:
    """The generated people."""
    with profiles.open(newline="", encoding="utf-8") as file:
        by_address = {row["email"].strip().lower(): row["external_id"] for row in csv.DictReader(file)}

    def find(address: str) -> tuple[str, Response] | None:
        external_id = by_address.get(address.lower(), "")
        response = truth.responses.get(external_id)
        return (external_id, response) if response else None

    return Directory(find, truth.responses)


def everybody_alike(runtime: Runtime, response: Response) -> Directory:
    """People whose addresses an import made up from their numbers; nothing was planted."""
    with runtime.database.read() as connection:
        numbers = select(identity.c.lookup).where(identity.c.kind == IdentityKind.EXTERNAL_ID)
        people = dict.fromkeys(connection.execute(numbers.order_by(identity.c.lookup)).scalars(), response)

    def find(address: str) -> tuple[str, Response] | None:
        found = _CUSTOMER.match(address)
        return (found[1], response) if found else None

    return Directory(find, people)
