"""Undoing what an import said of people: attributes, memberships, identities, and the people that it made.

Somebody whom the import made goes when nothing else leads to them: the row stays, erased, because its number must never
be anybody else's, and the data key is destroyed. Whoever has done something since, or was written to, or is known by
other data too, is kept without what the import said of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, or_, select, update

from core.bulk import among
from customers.account_tables import account_member
from customers.addresses import email_domain, phone_country
from customers.attribute_rows import read_attributes, write_attributes
from customers.identities import lock_people
from customers.imports.changes import SEALED_COLUMN
from customers.imports.undo_records import undo_source
from customers.imports.undo_steps import PAGE, Page, Undoing, next_after, read_changes
from customers.tables import (
    IdentityKind,
    ImportChangeKind,
    ProfileStatus,
    consent_entry,
    customer_event,
    customer_order,
    identity,
    import_change,
    merge_review,
    profile,
    profile_merge,
    sealed_attribute,
    static_list_member,
)
from customers.touches import TouchKind, touch

# What Postilion notes about everybody by itself tells nothing about anybody.
_OWN_NOTES = ("segment_entered", "segment_left")
_ADDRESSES = (IdentityKind.EMAIL, IdentityKind.PHONE)


def restore_attributes(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Each value that is still the import's becomes what it was before; one that was changed since is kept."""
    rows = read_changes(connection, undoing, ImportChangeKind.ATTRIBUTES, after)
    vault = undoing.runtime.vault
    ids = [row.profile_id for row in rows]
    vault.fetch(ids)
    current = read_attributes(connection, vault, ids)
    values: dict[int, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        note = vault.open_document(row.profile_id, SEALED_COLUMN, row.before)
        stands = current.get(row.profile_id)
        back = {
            name: note["before"].get(name)
            for name, value in note["after"].items()
            if stands is not None and stands.get(name) == value
        }
        values[row.profile_id] = back
        counts["values_kept"] += len(note["after"]) - len(back)
        counts["values_restored"] += len(back)
    write_attributes(connection, vault, undoing.workspace, values, undoing.now, batch_id=undoing.batch_id)
    return Page(next_after(rows, rows[-1].ref if rows else None), len(rows), counts)


def restore_members(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Memberships that the import made go, roles that it changed come back; accounts stay, for others may use them."""
    rows = read_changes(connection, undoing, ImportChangeKind.MEMBER, after)
    vault = undoing.runtime.vault
    vault.fetch(row.profile_id for row in rows)
    member = account_member.c
    counts: Counter[str] = Counter()
    for row in rows:
        note = vault.open_document(row.profile_id, SEALED_COLUMN, row.before)
        account_id, profile_id = map(int, row.ref.split(":"))
        role = member.role.is_(None) if note["after"] == [None] else member.role == note["after"][0]
        this = (member.account_id == account_id) & (member.profile_id == profile_id)
        if note["before"] is None:
            # A row without a role said nothing of one: whatever role stands was said by somebody else.
            changed = connection.execute(delete(account_member).where(this, role)).rowcount
        else:
            renewed = update(account_member).where(this, role).values(role=note["before"][0])
            changed = connection.execute(renewed).rowcount
        touch(connection, [profile_id])
        counts["account_members" if changed else "account_members_kept"] += 1
    return Page(next_after(rows, rows[-1].ref if rows else None), len(rows), counts)


def let_go_of_profiles(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """The people that the import made: gone, or kept without its attributes."""
    lock_people(connection)
    row = profile.c
    query = select(row.id, row.status).where(row.batch_id == undoing.batch_id, row.id > (after or 0))
    rows = connection.execute(query.order_by(row.id).limit(PAGE)).all()
    standing = [one.id for one in rows if one.status != ProfileStatus.ERASED]
    kept = _relied_on(connection, undoing, standing)
    gone = [number for number in standing if number not in kept]
    _erase(connection, undoing, gone)
    cleared = _clear_kept(connection, undoing, sorted(kept))
    counts = Counter(profiles=len(gone), profiles_kept=len(kept), values_restored=cleared)
    erased = [one.id for one in rows if one.status == ProfileStatus.ERASED]
    return Page(next_after(rows, rows[-1].id if rows else None), len(rows), counts, [*gone, *erased])


def let_go_of_identities(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Names and addresses that the import gave to people who were there before it."""
    lock_people(connection)
    row = identity.c
    rows = connection.execute(
        select(row.id, row.kind, row.profile_id)
        .join(profile, row.profile_id == profile.c.id)
        .where(row.batch_id == undoing.batch_id, row.id > (after or 0))
        .where(or_(profile.c.batch_id.is_(None), profile.c.batch_id != undoing.batch_id))
        .order_by(row.id)
        .limit(PAGE)
    ).all()
    owners = sorted({one.profile_id for one in rows})
    busy = _with_events(connection, undoing, owners, since_import=True)
    gone = [one for one in rows if one.profile_id not in busy]
    connection.execute(delete(identity).where(among(connection, row.id, [one.id for one in gone])))
    touch(connection, [one.profile_id for one in gone])
    _derive_again(connection, undoing, sorted({one.profile_id for one in gone if one.kind in _ADDRESSES}))
    counts = Counter(identities=len(gone), identities_kept=len(rows) - len(gone))
    return Page(next_after(rows, rows[-1].id if rows else None), len(rows), counts)


def _relied_on(connection: Connection, undoing: Undoing, ids: Sequence[int]) -> set[int]:
    """Those to whom something leads that is not the import's."""
    found = _with_events(connection, undoing, ids, since_import=False)
    entry = consent_entry.c
    for owner, others in (
        (customer_order.c.profile_id, _of_others(customer_order, undoing)),
        (identity.c.profile_id, _of_others(identity, undoing)),
        (static_list_member.c.profile_id, _of_others(static_list_member, undoing)),
        (entry.profile_id, _of_others(consent_entry, undoing) & (entry.source != undo_source(undoing.batch_id))),
        (profile_merge.c.profile_id, None),
        (profile_merge.c.merged_profile_id, None),
        (account_member.c.profile_id, None),
    ):
        query = select(owner).where(among(connection, owner, ids)).distinct()
        found.update(connection.execute(query if others is None else query.where(others)).scalars())
    return found


def _of_others(table: Table, undoing: Undoing) -> ColumnElement[bool]:
    return or_(table.c.batch_id.is_(None), table.c.batch_id != undoing.batch_id)


def _with_events(connection: Connection, undoing: Undoing, ids: Sequence[int], *, since_import: bool) -> set[int]:
    """Those about whom the log tells something that is not the import's: they did something, or were written to."""
    event = customer_event.c
    query = select(event.profile_id).where(
        among(connection, event.profile_id, ids), _of_others(customer_event, undoing), event.name.not_in(_OWN_NOTES)
    )
    if since_import:
        query = query.where(event.received_at >= undoing.started_at)
    return set(connection.execute(query.distinct()).scalars())


def _erase(connection: Connection, undoing: Undoing, ids: Sequence[int]) -> None:
    """Nothing is left but the number; consents bind the address and stay with it, as do orders without a person."""
    of_gone = {
        identity: identity.c.profile_id,
        sealed_attribute: sealed_attribute.c.profile_id,
        import_change: import_change.c.profile_id,
        merge_review: merge_review.c.first_profile_id,
    }
    for table, owner in of_gone.items():
        connection.execute(delete(table).where(among(connection, owner, ids)))
    connection.execute(delete(merge_review).where(among(connection, merge_review.c.second_profile_id, ids)))
    blank: dict[str, Any] = {
        **dict.fromkeys(("timezone", "country", "locale", "email_provider", "phone_country", "sealed_attributes")),
        **dict.fromkeys(("birth_month", "birth_day")),
        "has_email": False,
        "has_phone": False,
        "attributes": {},
        "status": ProfileStatus.ERASED,
        "updated_at": undoing.now,
    }
    connection.execute(update(profile).where(among(connection, profile.c.id, ids)).values(**blank))
    touch(connection, ids, TouchKind.REWRITTEN)


def _clear_kept(connection: Connection, undoing: Undoing, ids: Sequence[int]) -> int:
    """Take away what the import knew of people who stay, except what others changed since; answers how many values."""
    vault, change = undoing.runtime.vault, import_change.c
    refs = select(change.ref).where(
        change.batch_id == undoing.batch_id,
        change.kind == ImportChangeKind.CHANGED_SINCE.value,
        among(connection, change.profile_id, ids),
    )
    changed_since = set(connection.execute(refs).scalars())
    current: Mapping[int, Mapping[str, Any]] = read_attributes(connection, vault, ids)
    values = {
        number: {name: None for name in attributes if f"{number}:{name}" not in changed_since}
        for number, attributes in current.items()
    }
    write_attributes(connection, vault, undoing.workspace, values, undoing.now, batch_id=undoing.batch_id)
    return sum(map(len, values.values()))


def _derive_again(connection: Connection, undoing: Undoing, ids: Sequence[int]) -> None:
    """The plain columns beside the addresses, from those that are left."""
    vault = undoing.runtime.vault
    query = select(identity).where(among(connection, identity.c.profile_id, ids), identity.c.kind.in_(_ADDRESSES))
    newest: dict[tuple[int, str], Row[Any]] = {
        (row.profile_id, row.kind): row for row in connection.execute(query.order_by(identity.c.id))
    }
    for number in ids:
        email, phone = (_opened(vault, newest.get((number, kind.value))) for kind in _ADDRESSES)
        columns = {
            "has_email": email is not None,
            "email_provider": email_domain(email)[:100] if email is not None else None,
            "has_phone": phone is not None,
            "phone_country": phone_country(phone) if phone is not None else None,
            "updated_at": undoing.now,
        }
        connection.execute(update(profile).where(profile.c.id == number).values(**columns))


def _opened(vault: Any, row: Row[Any] | None) -> str | None:
    if row is None:
        return None
    value: str = vault.open(row.origin_profile_id or row.profile_id, f"identity.{row.kind}", row.sealed)
    return value
