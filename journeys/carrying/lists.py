"""Static lists: who is put on one or taken off by a step. Of several changes of one person the last counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection

from customers.lists import add_to_list, remove_from_list
from journeys.answers import Scene
from journeys.transition import ChangeList, Enrolment, ListChange


def change_lists(connection: Connection, scene: Scene, changes: Iterable[tuple[Enrolment, ChangeList]]) -> None:
    last = {(effect.list, owner.profile_id): effect.change for owner, effect in changes}
    people: dict[tuple[str, ListChange], list[int]] = defaultdict(list)
    for (name, profile_id), change in last.items():
        people[name, change].append(profile_id)
    for (name, change), ids in people.items():
        if change is ListChange.ADD:
            add_to_list(connection, name, ids, scene.now)
        else:
            remove_from_list(connection, name, ids)
