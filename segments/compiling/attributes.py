"""Conditions on attributes: columns of the profile, plain attributes, and sealed ones by their blind index."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sqlalchemy import ColumnElement, Select, false, literal, not_, select

from core.errors import InputError
from core.vault import Vault
from customers.addresses import normalise
from customers.attributes import attribute_lookup, coerce
from customers.identities import lookup_of
from customers.tables import IdentityKind, identity, profile, sealed_attribute
from customers.workspace import ValueKind, Workspace
from segments.compiling.predicates import Moment, conjunction, matches
from segments.compiling.values import Element, Member, Plain, Predicate
from segments.language.rules import AttributeRule, Comparison, Operator

COLUMNS: Mapping[str, ValueKind] = {
    "timezone": ValueKind.TEXT,
    "country": ValueKind.TEXT,
    "locale": ValueKind.TEXT,
    "has_email": ValueKind.BOOLEAN,
    "email_provider": ValueKind.TEXT,
    "has_phone": ValueKind.BOOLEAN,
    "phone_country": ValueKind.TEXT,
    "birth_month": ValueKind.NUMBER,
    "birth_day": ValueKind.NUMBER,
    "created_at": ValueKind.INSTANT,
}
ADDRESSES = frozenset({IdentityKind.EMAIL.value, IdentityKind.PHONE.value})


def is_sealed(name: str, workspace: Workspace) -> bool:
    """Whether only `exists`, `eq` and `in` can be asked: addresses, personal attributes, and undeclared ones."""
    if name in COLUMNS:
        return False
    spec = workspace.attributes.get(name)
    return name in ADDRESSES or spec is None or spec.is_personal


def attribute_predicate(rule: AttributeRule, moment: Moment, workspace: Workspace, vault: Vault | None) -> Predicate:
    """Raises InputError for a value of a sealed attribute without a vault to find it by."""
    if rule.name in COLUMNS:
        return matches(_column(rule.name), rule.matcher, moment)
    if not is_sealed(rule.name, workspace):
        return matches(Member(profile.c.attributes, rule.name), rule.matcher, moment)
    return conjunction(_sealed(rule.name, comparison, workspace, vault) for comparison in rule.matcher.comparisons)


def _column(name: str) -> Plain:
    column = profile.c[name]
    element = {
        ValueKind.TEXT: partial(Element, text=column),
        ValueKind.NUMBER: partial(Element, number=column),
        ValueKind.BOOLEAN: partial(Element, truth=column),
        ValueKind.INSTANT: partial(Element, micros=column),
    }[COLUMNS[name]]()
    return Plain(element, column)


def _sealed(name: str, comparison: Comparison, workspace: Workspace, vault: Vault | None) -> Predicate:
    operand = comparison.operand
    if comparison.operator is Operator.EXISTS:
        there = _rows(name).correlate(profile).exists()
        return there if operand else not_(there)
    if comparison.operator not in (Operator.EQ, Operator.IN, Operator.NE, Operator.NOT_IN):
        return false()
    if vault is None:
        raise InputError(f"the attribute `{name}` is sealed, and there is no key to find its values by.")
    values = operand if isinstance(operand, tuple) else (operand,)
    lookups = sorted(found for value in values if (found := _lookup(name, value, workspace, vault)) is not None)
    has_one = _rows(name).where(_lookup_column(name).in_(lookups)).correlate(profile).exists()
    return not_(has_one) if comparison.operator in (Operator.NE, Operator.NOT_IN) else has_one


def _rows(name: str) -> Select[tuple[int]]:
    if name in ADDRESSES:
        return select(literal(1)).where(identity.c.profile_id == profile.c.id, identity.c.kind == name)
    return select(literal(1)).where(sealed_attribute.c.profile_id == profile.c.id, sealed_attribute.c.name == name)


def _lookup_column(name: str) -> ColumnElement[str]:
    return identity.c.lookup if name in ADDRESSES else sealed_attribute.c.lookup


def _lookup(name: str, value: object, workspace: Workspace, vault: Vault) -> str | None:
    """The blind index under which `value` would be stored; None for what cannot be such a value."""
    try:
        if name in ADDRESSES:
            return lookup_of(vault, name, normalise(name, str(value), workspace.country))
        spec = workspace.attributes.get(name)
        return attribute_lookup(vault, name, coerce(spec.kind if spec else ValueKind.TEXT, value))
    except InputError:
        return None
