"""Conditions on how far somebody lives from a point, by the plain number attributes `latitude` and `longitude`.

Distances are great circles on a sphere (haversine, R. W. Sinnott, Sky and Telescope 68, 1984), half a per cent off at
most, in whole metres: databases disagree in the last digit of a sine, and an edge must not hang on that. The distance
is never reckoned in SQL: the radius becomes a bound of the haversine, so that two cosines and two sines are enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Double, and_, case, false, func, literal, or_

from customers.tables import profile
from customers.workspace import Workspace
from segments.compiling.attributes import is_sealed
from segments.compiling.dialects import number_in
from segments.compiling.values import Predicate
from segments.language.rules import LATITUDE, LONGITUDE, NearRule

_RADIUS_M = 6_371_008.8  # the mean of the Earth's radii (IUGG)
_MARGIN_M = 1.0  # of the box around the circle
_HALF = math.pi / 360  # of an angle in degrees


def near_predicate(rule: NearRule, workspace: Workspace) -> Predicate:
    """Who has no position, or none on Earth, is near nothing."""
    if any(is_sealed(name, workspace) for name in (LATITUDE, LONGITUDE)):
        return false()
    latitude = number_in(profile.c.attributes, LATITUDE)
    longitude = number_in(profile.c.attributes, LONGITUDE)
    angle = _angle(rule.kilometres)
    height: ColumnElement[float] = func.sin((latitude - _double(rule.latitude)) * _double(_HALF), type_=Double())
    width: ColumnElement[float] = func.sin((longitude - _double(rule.longitude)) * _double(_HALF), type_=Double())
    shrink = _double(math.cos(math.radians(rule.latitude))) * func.cos(latitude * _double(2 * _HALF), type_=Double())
    haversine = height * height + shrink * width * width
    is_inside = haversine <= _double(math.sin(angle / 2) ** 2 if angle < math.pi else 2.0)
    # The box comes first, and no sine is asked of what lies outside of it.
    return case((_in_box(rule, latitude, longitude), is_inside), else_=false())


def distance_m(rule: NearRule, attributes: Mapping[str, Any]) -> int | None:
    """Whole metres from the point to the position in `attributes`; None without one."""
    position = [attributes.get(name) for name in (LATITUDE, LONGITUDE)]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in position):
        return None
    latitude, longitude = map(float, position)  # type: ignore[arg-type] # two numbers, as was seen
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    height = math.sin((latitude - rule.latitude) * _HALF)
    width = math.sin((longitude - rule.longitude) * _HALF)
    shrink = math.cos(math.radians(rule.latitude)) * math.cos(math.radians(latitude))
    haversine = min(1.0, height * height + shrink * width * width)
    return math.floor(2 * _RADIUS_M * math.asin(math.sqrt(haversine)) + 0.5)


def _angle(kilometres: float) -> float:
    """The circle's radius seen from the middle of the Earth: to the end of the last metre that still counts."""
    return min(math.pi, (math.floor(kilometres * 1000) + 0.5) / _RADIUS_M)


def _in_box(rule: NearRule, latitude: ColumnElement[float], longitude: ColumnElement[float]) -> Predicate:
    """Degrees that hold the circle; a circle around a pole, or nearly, has every longitude."""
    radius = _angle(rule.kilometres) + _MARGIN_M / _RADIUS_M
    tall = math.degrees(radius)
    south, north = max(-90.0, rule.latitude - tall), min(90.0, rule.latitude + tall)
    in_band = latitude.between(_double(south), _double(north))
    if south <= -90 or north >= 90:
        return and_(in_band, longitude.between(_double(-180.0), _double(180.0)))
    wide = math.degrees(math.asin(math.sin(radius) / math.cos(math.radians(rule.latitude))))
    west, east = rule.longitude - wide, rule.longitude + wide
    stretches = [(max(-180.0, west), min(180.0, east))]
    if west < -180:  # over the date line
        stretches.append((west + 360, 180.0))
    if east > 180:
        stretches.append((-180.0, east - 360))
    return and_(in_band, or_(*(longitude.between(_double(first), _double(last)) for first, last in stretches)))


def _double(number: float) -> ColumnElement[float]:
    return literal(number, Double())
