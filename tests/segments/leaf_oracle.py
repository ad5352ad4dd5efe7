"""What the longer leaves mean, said a second time in plain Python: see `oracle`.

Sequences try every choice of events, days are walked one by one, distances go through points in space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import product as choices
from math import acos, cos, floor, radians, sin
from typing import Any, Protocol
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Table

from customers.account_tables import account, account_member
from customers.tables import customer_event, customer_order, order_line, product
from tests.segments.people import SHOP

Row = Mapping[str, Any]
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Asked(Protocol):
    rows: Mapping[Table, Sequence[Row]]
    now: datetime

    def passes(self, matcher: Any, value: Any) -> bool: ...


class Leaves:
    """Mixed into the oracle's world, which has the rows, the clock and the matchers."""

    def _sequence(self: _Asked, rule: Any, person: Row) -> bool:
        def hits(part: Any) -> list[Row]:
            asked: Any = {"event": part} if isinstance(part, str) else part
            names = [asked["event"]] if isinstance(asked["event"], str) else asked["event"]
            return [
                row
                for row in self.rows[customer_event]
                if row["profile_id"] == person["id"]
                and row["name"] in names
                and row["occurred_at"] < self.now
                and all(self.passes(one, row["properties"].get(key)) for key, one in asked.get("where", {}).items())
            ]

        length = timedelta(days=int(rule.get("within", "36500d")[:-1]))
        for choice in choices(*map(hits, rule["sequence"])):
            order = [(row["occurred_at"], row["id"]) for row in choice]
            if order == sorted(set(order)) and order[-1][0] - order[0][0] < length:
                return True
        return False

    def _owns(self: _Asked, rule: Any, person: Row) -> bool:
        asked = rule["owns"]
        [by] = {"product", "category"} & set(asked)
        wanted = [asked[by]] if isinstance(asked[by], str) else asked[by]
        start = self.now - timedelta(days=int(asked.get("within", "36500d")[:-1]))
        categories = {row["sku"]: row["category"] for row in self.rows.get(product, ())}
        placed = {row["id"]: row for row in self.rows.get(customer_order, ()) if row["profile_id"] == person["id"]}
        left: dict[str, int] = {}
        lately = set()
        for line in self.rows.get(order_line, ()):
            order = placed.get(line["order_id"])
            if order is None or line["kind"] != "product" or order["placed_at"] >= self.now:
                continue
            left[line["sku"]] = left.get(line["sku"], 0) + line["quantity"]
            if line["quantity"] > 0 and order["placed_at"] >= start:
                lately.add(line["sku"])
        return any(
            left[sku] > 0 and (sku if by == "product" else categories.get(sku)) in wanted for sku in lately & set(left)
        )

    def _near(self: _Asked, rule: Any, person: Row) -> bool:
        asked = rule["near"]
        place: list[Any] = [person["attributes"].get(name) for name in ("latitude", "longitude")]
        if not all(type(number) in (int, float) for number in place):
            return False
        if abs(place[0]) > 90 or abs(place[1]) > 180:
            return False
        here, there = _in_space(asked["lat"], asked["lon"]), _in_space(*place)
        angle = acos(max(-1.0, min(1.0, sum(one * two for one, two in zip(here, there, strict=True)))))
        return bool(floor(angle * 6_371_008.8 + 0.5) <= asked["km"] * 1000)

    def _anniversary(self: _Asked, rule: Any, person: Row) -> bool:
        asked = rule["anniversary"]
        if asked["attribute"] == "birthday":
            if person["birth_month"] is None or person["birth_day"] is None:
                return False
            born = date(1904, person["birth_month"], person["birth_day"])
        else:
            try:
                text = person["attributes"].get(asked["attribute"])
                born = date.fromisoformat(text) if isinstance(text, str) and len(text) == 10 else date.max
            except ValueError:
                return False
        today = self.now.astimezone(_zone(person)).date()
        days = [today + timedelta(days=number) for number in range(int(asked["in_next"][:-1]))]
        return any(born <= day and _returns(born, day.year) == day for day in days)

    def _local_time(self: _Asked, rule: Any, person: Row) -> bool:
        asked = rule["local_time"]
        wall = self.now.astimezone(_zone(person))
        days = asked.get("weekday", _WEEKDAYS)
        days = [days] if isinstance(days, str) else days
        start, end, clock = asked.get("from", "00:00"), asked.get("to", "24:00"), wall.strftime("%H:%M")
        today, before = _WEEKDAYS[wall.weekday()], _WEEKDAYS[wall.weekday() - 1]
        if start < end:
            return today in days and start <= clock < end
        return (today in days and clock >= start) or (before in days and clock < end)

    def _account(self: _Asked, rule: Any, person: Row) -> bool:
        asked = dict(rule["account"])
        where = asked.pop("where", {})
        accounts = {row["id"]: row for row in self.rows.get(account, ())}
        return any(
            all(
                self.passes(matcher, row["role"] if word == "role" else accounts[row["account_id"]][word])
                for word, matcher in asked.items()
            )
            and all(
                self.passes(matcher, accounts[row["account_id"]]["attributes"].get(name))
                for name, matcher in where.items()
            )
            for row in self.rows.get(account_member, ())
            if row["profile_id"] == person["id"] and row["until"] is None
        )


def _zone(person: Row) -> ZoneInfo:
    return ZoneInfo(person["timezone"] if person["timezone"] in available_timezones() else SHOP.timezone)


def _returns(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _in_space(latitude: float, longitude: float) -> tuple[float, float, float]:
    up, round_ = radians(latitude), radians(longitude)
    return cos(up) * cos(round_), cos(up) * sin(round_), sin(up)
