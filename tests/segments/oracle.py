"""What a condition means, said a second time in plain Python over plain rows: slow, short, and without our code.

It reads the YAML data itself, so that parser, compiler and matcher are all checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import copysign, trunc
from typing import Any

from sqlalchemy import Table

from customers.tables import consent_entry, customer_event, identity, profile, static_list_member
from customers.task_tables import task
from delivery.tables import message
from insights.tables import score
from tests.segments.leaf_oracle import Leaves
from tracking.tables import engagement_event

Rows = Mapping[Table, Sequence[Mapping[str, Any]]]

_COLUMNS = ("country", "has_email", "birth_month")


class World(dict[Table, Sequence[Mapping[str, Any]]]):
    """Rows that show what is special about them: with everything written out, Hypothesis calls them too many."""

    def __repr__(self) -> str:
        return " ".join(f"{table.name}: {[_special(row) for row in rows]}" for table, rows in self.items() if rows)


def _special(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, datetime) else value for key, value in row.items() if value}


def members(rule: Any, rows: Rows, now: datetime, segments: Mapping[str, Any]) -> list[int]:
    world = _World(rows, now, segments)
    return [person["id"] for person in rows[profile] if person["status"] == "active" and world.holds(rule, person)]


class _World(Leaves):
    def __init__(self, rows: Rows, now: datetime, segments: Mapping[str, Any]) -> None:
        self.rows, self.now, self.segments = rows, now, segments

    def passes(self, matcher: Any, value: Any) -> bool:
        return fits(matcher, value)

    def holds(self, rule: Any, person: Mapping[str, Any]) -> bool:
        if isinstance(rule, list):
            return all(self.holds(part, person) for part in rule)
        word = next(iter(rule))
        if word == "all":
            return all(self.holds(part, person) for part in rule["all"])
        if word == "any":
            return any(self.holds(part, person) for part in rule["any"])
        if word == "not":
            return not self.holds(rule["not"], person)
        answer: bool = getattr(self, f"_{word}")(rule, person)
        return answer

    def _segment(self, rule: Any, person: Mapping[str, Any]) -> bool:
        return self.holds(self.segments[rule["segment"]], person)

    def _list(self, rule: Any, person: Mapping[str, Any]) -> bool:
        return (rule["list"], person["id"]) in {
            (row["list"], row["profile_id"]) for row in self.rows[static_list_member]
        }

    def _attribute(self, rule: Any, person: Mapping[str, Any]) -> bool:
        name = rule["attribute"]
        return fits(rule["is"], person[name] if name in _COLUMNS else person["attributes"].get(name))

    def _consent(self, rule: Any, person: Mapping[str, Any]) -> bool:
        channel, topic = rule["consent"].split(".")
        kind = "email" if channel == "email" else "phone"
        states = set()
        for row in self.rows[identity]:
            if row["profile_id"] == person["id"] and row["kind"] == kind:
                history = [
                    (entry["occurred_at"], entry["status"] == "withdrawn", entry["status"])
                    for entry in self.rows[consent_entry]
                    if entry["lookup"] == row["lookup"]
                    and entry["channel"] == channel
                    and entry["topic"] in (topic, "*")
                ]
                states.add(max(history)[2] if history else "unknown")
        state = "granted" if "granted" in states else "denied" if "withdrawn" in states else "unknown"
        return state == str(rule["is"])

    def _message(self, rule: Any, person: Mapping[str, Any]) -> bool:
        for sent in self.rows[message]:
            if sent["profile_id"] != person["id"] or rule["message"] not in (sent["origin"], sent["template"]):
                continue
            if rule["was"] in ("opened", "clicked"):
                if any(
                    act["message_id"] == sent["id"]
                    and act["kind"] == rule["was"]
                    and act["human_probability"] >= 0.5
                    and act["occurred_at"] < self.now
                    for act in self.rows[engagement_event]
                ):
                    return True
            elif sent[f"{rule['was']}_at"] is not None and sent[f"{rule['was']}_at"] < self.now:
                return True
        return False

    def _case(self, rule: Any, person: Mapping[str, Any]) -> bool:
        asked = rule["case"]
        return any(
            row["profile_id"] == person["id"]
            and row["kind"] in ("complaint", "service_request")
            and all(fits(matcher, row[word]) for word, matcher in asked.items())
            for row in self.rows[task]
        )

    def _score(self, rule: Any, person: Mapping[str, Any]) -> bool:
        oldest = self.now - timedelta(days=int(rule.get("max_age", "36500d")[:-1]))
        known = [
            row["value"]
            for row in self.rows[score]
            if (row["name"], row["profile_id"]) == (rule["score"], person["id"]) and row["computed_at"] >= oldest
        ]
        return fits(rule["is"], known[0] if known else None)

    def _rank(self, rule: Any, person: Mapping[str, Any]) -> bool:
        asked = rule["rank"]
        ranked = [
            (value, -one["id"])
            for one in self.rows[profile]
            if one["status"] == "active" and (value := self._ranked_by(asked["by"], one)) is not None
        ]
        ranked.sort(reverse=True)
        ids = [-number for _value, number in ranked]
        if person["id"] not in ids:
            return False
        above, count = ids.index(person["id"]), len(ids)
        if "quintile" in asked:
            return bool(5 - 5 * above // count == asked["quintile"])
        share = Fraction(str(asked.get("top", asked.get("bottom"))).removesuffix("%")) / 100
        return (above + 1 if "top" in asked else count - above) <= share * count

    def _ranked_by(self, by: Any, person: Mapping[str, Any]) -> Any:
        if by == "birth_month":
            return person[by]
        if isinstance(by, str):
            value = person["attributes"].get(by)
            if by == "points":
                return value if _kind(value) is float else None
            return value if by == "member_since" and isinstance(value, str) and _is_date(value) else None
        hits = self._hits(by, person)
        if not hits:
            return None
        if "count" in by:
            return len(hits)
        kind = next(kind for kind in _AGGREGATES if kind in by)
        if by[kind] == "occurred_at" and kind in ("first", "last"):
            return hits[0 if kind == "first" else -1]["occurred_at"]
        value = _reckon(kind, by[kind], hits)
        return value if _kind(value) is float else None

    def _event(self, rule: Any, person: Mapping[str, Any]) -> bool:
        hits = self._hits(rule, person)
        kinds = [kind for kind in _AGGREGATES if kind in rule]
        if not kinds:
            return bool(hits)
        return all(_reckoned(kind, rule[kind], hits) for kind in kinds)

    def _hits(self, rule: Any, person: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        names = [rule["event"]] if isinstance(rule["event"], str) else rule["event"]
        window = timedelta(days=int(rule.get("within", "36500d")[:-1]))
        return [
            row
            for row in sorted(self.rows[customer_event], key=lambda row: (row["occurred_at"], row["id"]))
            if row["profile_id"] == person["id"]
            and row["name"] in names
            and self.now - window <= row["occurred_at"] < self.now
            and all(fits(matcher, row["properties"].get(key)) for key, matcher in rule.get("where", {}).items())
        ]


_AGGREGATES = ("count", "sum", "avg", "min", "max", "first", "last", "distinct")


def _reckoned(kind: str, wanted: Any, hits: Sequence[Mapping[str, Any]]) -> bool:
    if kind == "count":
        return fits(wanted, len(hits))
    return fits(wanted["is"], _reckon(kind, wanted["of"], hits))


def _reckon(kind: str, of: str, hits: Sequence[Mapping[str, Any]]) -> Any:
    values = [hit["properties"].get(of) for hit in hits]
    numbers = [float(value) for value in values if _kind(value) is float]
    whole = [trunc(number * 10_000 + copysign(0.5, number)) for number in numbers if number]
    total = float(sum(whole)) / 10_000
    result: Any = {
        "sum": total,
        "avg": total / len(numbers) if numbers else None,
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "first": values[0] if values else None,
        "last": values[-1] if values else None,
        "distinct": len({(_kind(value), value) for value in values if _kind(value)}),
    }[kind]
    return result


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def fits(matcher: Any, value: Any) -> bool:
    comparisons = matcher.items() if isinstance(matcher, dict) else [("eq", matcher)]
    elements = value if isinstance(value, list) else [value]
    positive = []
    for how, operand in comparisons:
        if how == "exists":
            if (value is not None) != operand:
                return False
        elif how in ("ne", "not_in"):
            if any(_same(element, one) for element in elements for one in (operand if how == "not_in" else [operand])):
                return False
        else:
            positive.append((how, operand))
    return not positive or any(all(_passes(*one, element) for one in positive) for element in elements)


def _passes(how: str, operand: Any, value: Any) -> bool:
    if how in ("eq", "in"):
        return any(_same(value, one) for one in (operand if how == "in" else [operand]))
    if how in ("contains", "starts_with", "ends_with"):
        if not isinstance(value, str):
            return False
        found = {
            "contains": operand in value,
            "starts_with": value.startswith(operand),
            "ends_with": value.endswith(operand),
        }
        return found[how]
    low, high = operand if how == "between" else (operand, operand)
    if _kind(value) not in (str, float) or _kind(value) is not _kind(low):
        return False
    answers: dict[str, bool] = {
        "gt": value > low,
        "gte": value >= low,
        "lt": value < low,
        "lte": value <= low,
        "between": low <= value < high,
    }
    return answers[how]


def _same(value: Any, wanted: Any) -> bool:
    return _kind(value) is not None and _kind(value) is _kind(wanted) and bool(value == wanted)


def _kind(value: Any) -> type | None:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else str if isinstance(value, str) else None
