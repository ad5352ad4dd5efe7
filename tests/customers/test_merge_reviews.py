"""Who is proposed as one person, and what a decision does; nobody is merged by an address alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core.database import Database
from core.errors import ConflictError, InputError, NotFoundError
from core.vault import Vault
from customers.duplicates import find_duplicates
from customers.identities import resolve, resolve_all
from customers.merge_reviews import (
    accept,
    get_review,
    keep_apart,
    list_reviews,
    merge_by_hand,
    undo,
)
from customers.ownership import survivor_of
from customers.proposals import ReviewReason, ReviewStatus, propose
from customers.tables import IdentityKind, merge_review, profile
from customers.workspace import Workspace
from tests.customers.conftest import NOW

EMAIL, PHONE, NAME = IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.EXTERNAL_ID


class Desk:
    """Somebody who makes people and decides about them, in one transaction."""

    def __init__(self, connection, vault: Vault, workspace: Workspace) -> None:  # type: ignore[no-untyped-def] # a connection
        self.connection, self.vault, self.workspace = connection, vault, workspace
        self.who = {"by": "bo", "now": NOW}

    def make(self, **identifiers: str) -> int:
        kinds = {IdentityKind(kind): value for kind, value in identifiers.items()}
        made = resolve(self.connection, self.vault, kinds, NOW)
        assert made is not None
        return made

    def waiting(self) -> list[tuple[int, int, str]]:
        return [(one.first_profile_id, one.second_profile_id, one.reason) for one in list_reviews(self.connection)]

    def look(self) -> int:
        """`postilion merges find`, in small stretches."""
        after: int | None = 0
        count = 0
        while after is not None:
            looked = find_duplicates(self.connection, self.vault, after, NOW, limit=2)
            after, count = looked.last_id, count + looked.proposed_count
        return count

    def accept(self, number: int, keep: int | None = None) -> int:
        return accept(self.connection, self.vault, self.workspace, number, by="bo", now=NOW, keep=keep)

    def undo(self, number: int) -> int:
        return undo(self.connection, self.vault, self.workspace, number, by="bo", now=NOW)


@pytest.fixture
def desk(database: Database, vault: Vault, workspace: Workspace):  # type: ignore[no-untyped-def] # a generator
    with database.transaction() as connection:
        yield Desk(connection, vault, workspace)


def test_two_wait_for_a_decision_when_their_addresses_differ_in_a_plus_tag(desk: Desk) -> None:
    plain = desk.make(email="ann@shop.example")
    tagged = desk.make(email="ann+news@shop.example")
    assert plain != tagged
    assert desk.waiting() == [(plain, tagged, "plus_tag")]
    desk.make(email="a.nn@shop.example")  # a dot is no sign of anything
    assert len(desk.waiting()) == 1


def test_the_plain_address_is_found_when_it_came_after_the_tagged_one(desk: Desk) -> None:
    tagged = desk.make(email="ann+news@shop.example")
    plain = desk.make(email="ann@shop.example")
    assert desk.waiting() == []
    assert desk.look() == 1
    assert desk.waiting() == [(tagged, plain, "plus_tag")]
    assert desk.look() == 0


def test_two_are_proposed_when_they_share_an_address_or_a_number(desk: Desk) -> None:
    alice = desk.make(external_id="alice", email="home@shop.example", phone="+442079460018")
    bob = desk.make(external_id="bob", email="home@shop.example")
    carol = desk.make(external_id="carol", phone="+442079460018")
    assert desk.waiting() == []
    assert desk.look() == 2
    assert desk.waiting() == [(alice, bob, "same_email"), (alice, carol, "same_phone")]


def test_nobody_is_proposed_when_a_switchboard_is_shared_by_many(desk: Desk) -> None:
    people = [{NAME: f"clerk-{number}", PHONE: "+442079460018"} for number in range(8)]
    resolve_all(desk.connection, desk.vault, people, NOW)
    assert desk.look() == 0


def test_nobody_is_proposed_when_the_addresses_are_made_up(desk: Desk) -> None:
    people = [{EMAIL: "ann@shop.example"}, {EMAIL: "ann+1@shop.example"}]
    resolve_all(desk.connection, desk.vault, people, NOW, synthetic=True)
    assert desk.look() == 0


def test_two_become_one_when_a_pair_is_accepted(desk: Desk) -> None:
    older, known = desk.make(email="ann@shop.example"), desk.make(external_id="ann", email="ann+news@shop.example")
    (review,) = list_reviews(desk.connection)
    with pytest.raises(InputError, match="not one of the pair"):
        desk.accept(review.id, keep=999)
    desk.accept(review.id)
    assert survivor_of(desk.connection, older) == known
    assert desk.waiting() == []
    decided = get_review(desk.connection, review.id)
    assert (decided.status, decided.decided_by, decided.decided_at) == (ReviewStatus.MERGED, "bo", NOW)
    with pytest.raises(ConflictError, match="was merged by bo already"):
        desk.accept(review.id)
    with pytest.raises(NotFoundError, match="no pair 999"):
        desk.accept(999)


def test_a_pair_is_never_proposed_again_when_it_was_kept_apart(desk: Desk) -> None:
    first, second = desk.make(email="ann@shop.example"), desk.make(email="ann+news@shop.example")
    (review,) = list_reviews(desk.connection)
    keep_apart(desk.connection, review.id, by="bo", now=NOW)
    third = desk.make(external_id="third")
    merge_by_hand(desk.connection, desk.vault, desk.workspace, third, first, by="bo", now=NOW)
    assert desk.look() == 0  # the third has the first's address now, and what was decided about that
    assert propose(desk.connection, [(second, third)], ReviewReason.ALIAS, NOW + timedelta(days=1)) == 0
    assert desk.waiting() == []


def test_a_pair_is_never_proposed_again_when_its_merge_was_undone(desk: Desk) -> None:
    first, second = desk.make(email="ann@shop.example"), desk.make(email="ann+news@shop.example")
    (review,) = list_reviews(desk.connection)
    desk.undo(desk.accept(review.id, keep=second))
    assert survivor_of(desk.connection, first) == first
    assert get_review(desk.connection, review.id).status is ReviewStatus.APART
    assert desk.look() == 0


def test_a_waiting_pair_is_about_the_survivors_when_one_of_the_two_was_merged(desk: Desk) -> None:
    first, second = desk.make(email="ann@shop.example"), desk.make(email="ann+news@shop.example")
    third = desk.make(external_id="third")
    number = merge_by_hand(desk.connection, desk.vault, desk.workspace, third, first, by="bo", now=NOW)
    assert [(one, other) for one, other, _ in desk.waiting()] == [(third, second)]
    merge_by_hand(desk.connection, desk.vault, desk.workspace, third, second, by="bo", now=NOW)
    assert desk.waiting() == []
    assert number > 0


def test_a_proposal_says_nothing_when_both_are_one_already(desk: Desk) -> None:
    first, second = desk.make(external_id="a"), desk.make(external_id="b")
    merge_by_hand(desk.connection, desk.vault, desk.workspace, first, second, by="bo", now=NOW)
    assert propose(desk.connection, [(first, second), (first, first)], ReviewReason.ALIAS, NOW) == 0


def test_an_import_is_not_slowed_when_addresses_have_no_tag(desk: Desk) -> None:
    resolve_all(desk.connection, desk.vault, [{EMAIL: f"p{number}@shop.example"} for number in range(500)], NOW)
    assert desk.connection.execute(select(func.count()).select_from(profile)).scalar() == 500
    assert desk.connection.execute(select(func.count()).select_from(merge_review)).scalar() == 0
