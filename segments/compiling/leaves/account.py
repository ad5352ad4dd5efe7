"""Conditions on the company that somebody belongs to, and on the part that they play in it.

A membership counts while nobody has ended it, see `customers.accounts`. One account has to pass everything that is
asked; who belongs to several needs only one of them.
"""

from __future__ import annotations

from sqlalchemy import Connection, Select, literal, select

from customers.account_tables import account, account_member
from customers.tables import profile
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Element, Member, Plain, Predicate
from segments.language.rules import AccountRule

_NAMED = 5


def account_predicate(rule: AccountRule, moment: Moment) -> Predicate:
    query = _memberships().where(account_member.c.profile_id == profile.c.id)
    asked = (
        (account.c.key, rule.key),
        (account.c.name, rule.name),
        (account.c.country, rule.country),
        (account_member.c.role, rule.role),
    )
    for column, matcher in asked:
        if matcher is not None:
            query = query.where(matches(Plain(Element(text=column), column), matcher, moment))
    for test in rule.where:
        query = query.where(matches(Member(account.c.attributes, test.name), test.matcher, moment))
    return query.correlate(profile).exists()


def name_accounts(connection: Connection, profile_id: int) -> str | None:
    """The accounts of a person with the role in each, such as `acme (buyer), beta`; None without one."""
    mine = _memberships().with_only_columns(account.c.key, account_member.c.role)
    mine = mine.where(account_member.c.profile_id == profile_id).order_by(account.c.key).limit(_NAMED)
    rows = connection.execute(mine)
    return ", ".join(f"{row.key} ({row.role})" if row.role else row.key for row in rows) or None


def _memberships() -> Select[tuple[int]]:
    joined = account_member.join(account, account.c.id == account_member.c.account_id)
    return select(literal(1)).select_from(joined).where(account_member.c.until.is_(None))
