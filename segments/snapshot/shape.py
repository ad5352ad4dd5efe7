"""What of the system of record the snapshot holds: ids and plain columns, named one by one; nothing comes in by itself.

Addresses are there as a number alone: the lowest id among the identities with the same address, written as text in the
column `lookup` of `identity` and `consent_entry`, so that the same conditions join them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Float, String, Table, Text
from sqlalchemy.types import TypeEngine

from core.columns import Document
from core.database import metadata
from segments.snapshot.dialect import DuckDBDialect

_NOTHING: Mapping[str, str] = MappingProxyType({})
ADDRESS_KINDS = "('email', 'phone')"
KIND_OF_CHANNEL = "CASE WHEN t.channel IN ('sms', 'voice') THEN 'phone' ELSE 'email' END"


class Follows(StrEnum):
    """How the rows of a table are found again when something has changed."""

    PERSON = "person"  # of touched people all are read again
    CONSENT = "consent"  # likewise, by their addresses
    LOG = "log"  # new ones by their position; all of them for people who were rewritten
    ORDER = "order"
    LINE = "line"  # with their order
    WHOLE = "whole"  # few enough to be read each time


@dataclass(frozen=True, slots=True)
class Shape:
    """One table, called t in `where`, `computed` and `along`.

    `walk` is the number by which SQLite reads it in stretches. Without one it is read along an index, so that what is
    looked up for each row lies beside what was looked up before. `run` names a small table that has
    a `revision` for each value of a column: when one rises, all rows with that value are read again.
    """

    name: str
    columns: tuple[str, ...]
    follows: Follows
    walk: str
    where: str = ""
    computed: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    order: str = ""
    along: str = ""
    run: tuple[str, str] | None = None

    @property
    def table(self) -> Table:
        return metadata.tables[self.name]

    @property
    def person(self) -> str:
        """The column with the profile's id."""
        return "id" if self.name == "profile" else "profile_id"

    def expression(self, column: str) -> str:
        """Where the values of `column` come from."""
        return self.computed.get(column, f't."{column}"')

    def declaration(self, column: str) -> str:
        """The type of `column` in DuckDB; a document is text, since its functions read that as well."""
        kind = self.kind(column)
        return (
            "VARCHAR" if isinstance(kind, Document | String | Text) else _DIALECT.type_compiler_instance.process(kind)
        )

    def kind(self, column: str) -> TypeEngine[object]:
        return self.table.c[column].type

    def is_text(self, column: str) -> bool:
        """Whether its values may hold any character; JSON writes all that would disturb as escapes."""
        return isinstance(self.kind(column), String | Text) and not isinstance(self.kind(column), Document)

    def is_double(self, column: str) -> bool:
        return isinstance(self.kind(column), Float)


_DIALECT = DuckDBDialect()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SHAPES = (
    Shape(
        "profile",
        _words(
            "id status created_at timezone country locale has_email email_provider has_phone phone_country birth_month "
            "birth_day objected_at attributes"
        ),
        Follows.PERSON,
        "id",
    ),
    Shape(
        "identity",
        _words("id profile_id kind lookup"),
        Follows.PERSON,
        "",
        f"t.kind IN {ADDRESS_KINDS}",
        {"lookup": "(SELECT min(o.id) FROM identity o WHERE o.kind = t.kind AND o.lookup = t.lookup)"},
        along="t.kind, t.lookup",
    ),
    Shape(
        "consent_entry",
        _words("id lookup channel topic status occurred_at expires_at"),
        Follows.CONSENT,
        "",
        "",
        {"lookup": f"(SELECT min(o.id) FROM identity o WHERE o.kind = {KIND_OF_CHANNEL} AND o.lookup = t.lookup)"},
        along="t.lookup",
    ),
    Shape(
        "customer_event",
        _words("id profile_id name occurred_at properties"),
        Follows.LOG,
        "id",
        "t.profile_id IS NOT NULL",
        # Conditions name their events, so that whole stretches are passed over; one person's stand together, because to
        # add them up or to join them is quickest where the last one is still at hand.
        order="name, profile_id, occurred_at",
    ),
    Shape(
        "customer_order",
        _words("id profile_id kind placed_at currency total"),
        Follows.ORDER,
        "id",
        "t.profile_id IS NOT NULL",
    ),
    Shape("order_line", _words("order_id line_no kind sku quantity amount"), Follows.LINE, "order_id"),
    Shape("product", _words("sku category price currency is_hidden"), Follows.WHOLE, ""),
    Shape("static_list_member", _words("list profile_id added_at"), Follows.PERSON, "profile_id"),
    Shape(
        "message",
        _words(
            "id kind channel profile_id topic template origin_kind origin step variant status reason sent_at ended_at "
            "delivered_at bounced_at complained_at"
        ),
        Follows.PERSON,
        "rowid",
    ),
    Shape(
        "engagement_event",
        _words("id message_id profile_id kind link_no link_tag occurred_at human_probability"),
        Follows.PERSON,
        "id",
    ),
    Shape(
        "task",
        _words("id kind status profile_id priority outcome created_at closed_at"),
        Follows.PERSON,
        "rowid",
        "t.profile_id IS NOT NULL",
    ),
    Shape("account", _words("id key name country attributes"), Follows.WHOLE, ""),
    Shape("account_member", _words("account_id profile_id role until"), Follows.PERSON, "profile_id"),
    Shape(
        "score",
        _words("name profile_id value computed_at"),
        Follows.PERSON,
        "profile_id",
        run=("score_run", "name"),
    ),
    Shape("score_run", _words("name revision computed_at"), Follows.WHOLE, ""),
    Shape(
        "segment_rank",
        _words("basis profile_id place"),
        Follows.PERSON,
        "profile_id",
        run=("segment_rank_run", "basis"),
    ),
    Shape("segment_rank_run", _words("basis revision counted computed_at"), Follows.WHOLE, ""),
)


def shapes() -> list[Shape]:
    """Those of the tables that exist."""
    return [shape for shape in _SHAPES if shape.name in metadata.tables]
