"""The names behind the ids on a page of a timeline: products, and the titles of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from console.timeline.entries import Entry, Group
from core.errors import NotFoundError
from core.vault import Vault
from customers.tables import product
from customers.task_tables import task


@dataclass(frozen=True, slots=True)
class Names:
    """Products by sku, tasks by id; what was not found is missing."""

    products: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_names(connection: Connection, vault: Vault, entries: Sequence[Entry]) -> Names:
    """In one query for all products and one for all tasks of the page."""
    skus: set[str] = set()
    for entry in entries:
        skus.update(str(sku) for sku in entry.detail.get("skus") or ())
        skus.update(str(entry.detail[key]) for key in ("sku", "product_id") if entry.detail.get(key))
    task_ids = {str(entry.detail["task_id"]) for entry in entries if entry.group is Group.TASKS}
    found = select(product.c.sku, product.c.name).where(product.c.sku.in_(sorted(skus)))
    products = dict(connection.execute(found).tuples().all()) if skus else {}
    return Names(products, _titles(connection, vault, task_ids) if task_ids else {})


def _titles(connection: Connection, vault: Vault, task_ids: set[str]) -> dict[str, str]:
    titles = {}
    for row in connection.execute(select(task).where(task.c.id.in_(sorted(task_ids)))):
        owner = row.origin_profile_id or row.profile_id
        try:
            titles[row.id] = vault.open(owner, "task.title", row.sealed_title)
        except NotFoundError:
            continue  # erased
    return titles
