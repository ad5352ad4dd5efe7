"""A small shop in which everything happens that a condition can ask about, by the functions that do it in earnest."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from console.rights.erasure import erase_profile
from console.rights.restriction import lift_objection, lift_restriction, record_objection, restrict
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.errors import PostilionError
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.imports.mapping import load_mapping
from customers.imports.run import run_import
from customers.imports.undo import undo_import
from customers.lists import add_to_list, remove_from_list
from customers.log import NewEvent, append_events
from customers.merges import list_merges, merge, split
from customers.orders import NewLine, NewOrder, record_orders
from customers.profiles import set_attributes
from customers.tables import IdentityKind, OrderKind, ProfileStatus, import_batch, product, profile
from customers.task_moves import Cancel, Move, Take
from customers.task_tables import TaskKind, task
from customers.tasks import NewTask, change_task, create_tasks
from customers.workspace import Workspace, get_workspace
from delivery.tables import message
from insights.scores import record_scores
from journeys.succession import follow_merges
from tests.segments.people import DAY, NOW, message_row
from tracking.classify import Act, ActKind
from tracking.engagement import Engagement, record_engagement, settle_engagement

WORKSPACE: dict[str, Any] = {
    "workspace": "shop",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "country": "DE",
    "attributes": {
        "tier": {"kind": "text"},
        "points": {"kind": "number"},
        "first_name": {"kind": "text", "personal": True},
    },
    "events": {"cart_updated": {"properties": {"total": "number"}}, "page_viewed": {"properties": {}}},
    "topics": {"marketing": {"kind": "marketing"}},
}
SEGMENTS: dict[str, Any] = {
    "active": {"event": "page_viewed", "within": "2d"},
    "busy": {"event": ["page_viewed", "cart_updated"], "within": "12h", "count": {"gte": 2}},
    "dormant": {"not": {"event": "page_viewed", "within": "7d"}},
    "spender": {"event": "order_placed", "within": "5d", "sum": {"of": "total", "is": {"gte": 300}}},
    "last_cart": {"event": "cart_updated", "last": {"of": "total", "is": {"gte": 50}}},
    "consenting": {"consent": "email.marketing", "is": "granted"},
    "refusing": {"consent": "email.marketing", "is": "denied"},
    "vips": {"list": "vips"},
    "gold": {"attribute": "tier", "is": "gold"},
    "anna": {"attribute": "first_name", "is": "Anna"},
    "with_mail": {"attribute": "has_email", "is": True},
    "unsettled": {"case": {"status": {"in": ["open", "in_progress"]}}},
    "opened": {"message": "spring", "was": "opened"},
    "clicked": {"message": "spring", "was": "clicked"},
    "loyal": {"sequence": ["page_viewed", "cart_updated", "order_placed"], "within": "3d"},
    "tea_owner": {"owns": {"product": "tea", "within": "6d"}},
    "drinker": {"owns": {"category": "drinks"}},
    "high_score": {"score": "churn", "is": {"gte": 50}},
    "nested": {"all": [{"segment": "active"}, {"not": {"segment": "refusing"}}]},
    "mixed": {"any": [{"segment": "spender"}, {"attribute": "points", "is": {"gt": 5}}]},
}
_MAPPING = """\
mapping: people
kind: profiles
columns: {email: mail, tier: tier}
"""


def open_shop(database: Database, folder: Path) -> Runtime:
    """The shop with its segments, and nobody in it."""
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{folder}/keys.db"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
        for slug, who in SEGMENTS.items():
            document = {"segment": slug, "who": who}
            publish(connection, "segment", slug, document=document, source="", file=f"{slug}.yaml", now=NOW)
        connection.execute(
            insert(product),
            [
                {"sku": "tea", "name": "Tea", "category": "drinks", "updated_at": NOW},
                {"sku": "cup", "name": "Cup", "category": "china", "updated_at": NOW},
            ],
        )
    return Runtime(Settings(project=str(folder)), database, vault, ManualClock(NOW))


class Traffic:
    """Deeds chosen by a seeded die; each is a transaction, as in earnest."""

    def __init__(self, runtime: Runtime, folder: Path, seed: int) -> None:
        self.now = NOW
        self._runtime, self._folder = runtime, folder
        self._die = random.Random(seed)
        self._number = 0
        with runtime.database.read() as connection:
            self._workspace: Workspace = get_workspace(connection)
        self._deeds: list[tuple[int, Callable[[], object]]] = [
            (4, self._arrive),
            (12, self._event),
            (5, self._order),
            (5, self._consent),
            (3, self._list),
            (4, self._attribute),
            (2, self._merge),
            (2, self._split),
            (1, self._erase),
            (1, self._restrict),
            (1, self._object),
            (2, self._import),
            (1, self._undo),
            (3, self._mail),
            (3, self._open),
            (2, self._settle),
            (2, self._complain),
            (2, self._move_task),
            (2, self._score),
            (1, self._recategorise),
        ]

    def pass_time(self) -> None:
        """Mostly a few hours on; now and then back, and seldom far ahead."""
        hours = self._die.choice([0.01, 0.5, 3, 9, 26, 60, -0.2, -5, -30, 200])
        self.now += timedelta(hours=hours, microseconds=self._next())

    def do_something(self) -> str:
        """Answers what was done."""
        weights = [weight for weight, _ in self._deeds]
        [(_, deed)] = self._die.choices(self._deeds, weights)
        try:
            deed()
        except PostilionError as error:  # refused, as it would be in earnest: somebody was erased already
            return f"{deed.__name__}: {error}"
        return deed.__name__

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _somebody(self) -> int:
        with self._runtime.database.read() as connection:
            row = profile.c
            alive = (ProfileStatus.ACTIVE.value, ProfileStatus.RESTRICTED.value)
            ids = connection.scalars(select(row.id).where(row.status.in_(alive)).order_by(row.id)).all()
        return self._die.choice(ids) if ids else self._arrive()

    def _instant(self) -> datetime:
        """Now, late, or in the future by a clock that is wrong."""
        return self.now + timedelta(hours=self._die.choice([0, 0, 0, -1, -30, -100, 2, 30]))

    def _arrive(self) -> int:
        address = f"p{self._die.randrange(12)}@shop.example"
        person = {IdentityKind.EMAIL: address, IdentityKind.EXTERNAL_ID: f"c{self._next()}"}
        with self._runtime.database.transaction() as connection:
            found = resolve(connection, self._runtime.vault, person, self.now, region="DE")
        assert found is not None
        return found

    def _event(self) -> None:
        name = self._die.choice(["page_viewed", "cart_updated"])
        said = {"total": self._die.choice([10, 60, 90])} if name == "cart_updated" else {}
        event = NewEvent(name, self._instant(), "test", f"e{self._next()}", self._somebody(), said)
        with self._runtime.database.transaction() as connection:
            append_events(connection, self._runtime.vault, self._workspace, [event], self.now)

    def _order(self) -> None:
        is_return = self._die.random() < 0.3
        sign = -1 if is_return else 1
        lines = [NewLine(1, self._die.choice(["tea", "cup"]), sign, sign * self._die.choice([100, 250]))]
        kind = OrderKind.RETURN if is_return else OrderKind.ORDER
        order = NewOrder(f"test:{self._next()}", kind, self._somebody(), self._instant(), "EUR", lines)
        with self._runtime.database.transaction() as connection:
            record_orders(
                connection, self._runtime.vault, self._workspace, [order], source="test", received_at=self.now
            )

    def _consent(self) -> None:
        is_grant = self._die.random() < 0.7
        lookup = lookup_of(self._runtime.vault, "email", f"p{self._die.randrange(12)}@shop.example")
        entry = NewConsent(
            lookup,
            "email",
            self._die.choice(["marketing", "marketing", "*"]),
            ConsentStatus.GRANTED if is_grant else ConsentStatus.WITHDRAWN,
            Basis.OPT_IN if is_grant else None,
            "test",
            self._instant(),
            None,
            f"consent:{self._next()}",
            expires_at=self.now + self._die.choice([1, 2, 90]) * DAY if self._die.random() < 0.5 else None,
        )
        with self._runtime.database.transaction() as connection:
            record_consents(connection, [entry], self.now)

    def _list(self) -> None:
        who = [self._somebody()]
        with self._runtime.database.transaction() as connection:
            if self._die.random() < 0.6:
                add_to_list(connection, "vips", who, self.now)
            else:
                remove_from_list(connection, "vips", who)

    def _attribute(self) -> None:
        values: dict[str, list[Any]] = {"tier": ["gold", None], "points": [9, 1], "first_name": ["Anna", "Bo"]}
        name, who = self._die.choice(sorted(values)), self._somebody()
        said = {name: self._die.choice(values[name])}
        with self._runtime.database.transaction() as connection:
            set_attributes(connection, self._runtime.vault, self._workspace, who, said, self.now)

    def _merge(self) -> None:
        one, other = self._somebody(), self._somebody()
        with self._runtime.database.transaction() as connection:
            merge(
                connection,
                self._runtime.vault,
                self._workspace,
                one,
                other,
                cause="manual",
                source="test",
                now=self.now,
            )
        follow_merges(self._runtime, self.now)

    def _split(self) -> None:
        with self._runtime.database.transaction() as connection:
            merges = list_merges(connection)
            if merges:
                chosen = self._die.choice(merges).id
                split(connection, self._runtime.vault, self._workspace, chosen, source="test", now=self.now)
        follow_merges(self._runtime, self.now)

    def _erase(self) -> None:
        erase_profile(self._runtime, self._somebody(), requested_by="test", now=self.now)

    def _restrict(self) -> None:
        deed = self._die.choice([restrict, lift_restriction])
        deed(self._runtime, self._workspace, self._somebody(), requested_by="test", now=self.now)

    def _object(self) -> None:
        deed = self._die.choice([record_objection, lift_objection])
        deed(self._runtime, self._workspace, self._somebody(), requested_by="test", now=self.now)

    def _import(self) -> None:
        file, yaml = self._folder / f"people{self._next()}.csv", self._folder / "mapping.yaml"
        rows = [f"i{self._die.randrange(20)}@shop.example,{self._die.choice(['gold', 'tin'])}" for _ in range(3)]
        file.write_text("mail,tier\n" + "\n".join(dict.fromkeys(rows)) + "\n", encoding="utf-8")
        yaml.write_text(_MAPPING, encoding="utf-8")
        loaded = load_mapping(yaml, self._workspace)
        run_import(
            self._runtime,
            self._workspace,
            loaded.kind,
            file,
            loaded,
            progress=lambda _done, _total: None,
            rejects_file=file.with_suffix(".rejects.csv"),
            now=self.now,
        )

    def _undo(self) -> None:
        with self._runtime.database.read() as connection:
            ids = connection.scalars(select(import_batch.c.id).order_by(import_batch.c.id)).all()
        if ids:
            chosen = self._die.choice(ids)
            undo_import(self._runtime, self._workspace, chosen, now=self.now, progress=lambda _done, _total: None)

    def _mail(self) -> None:
        number = self._next()
        sent = dict.fromkeys(("sent_at", "delivered_at", "ended_at", "created_at"), self.now)
        row = message_row(number, self._somebody(), "spring", **sent)
        with self._runtime.database.transaction() as connection:
            connection.execute(insert(message).values(**row))

    def _open(self) -> None:
        with self._runtime.database.transaction() as connection:
            tokens = connection.scalars(select(message.c.token_id).order_by(message.c.token_id)).all()
            if tokens:
                kind = self._die.choice([ActKind.OPENED, ActKind.CLICKED, ActKind.CLICKED, ActKind.DECOYED])
                agent = self._die.choice(["Mozilla/5.0 (Windows NT 10.0) Chrome/120.0", "python-requests/2", ""])
                link = 1 if kind is ActKind.CLICKED else None
                act = Act(kind, self.now - timedelta(seconds=self._die.randrange(60)), agent, link)
                record_engagement(connection, [Engagement(self._die.choice(tokens), act)])

    def _settle(self) -> None:
        with self._runtime.database.transaction() as connection:
            settle_engagement(connection, self._runtime.vault, self._workspace, self.now)

    def _complain(self) -> None:
        kind = self._die.choice([TaskKind.COMPLAINT, TaskKind.TO_DO])
        new = NewTask(f"t{self._next()}", "The kettle leaks", kind, self._somebody())
        with self._runtime.database.transaction() as connection:
            create_tasks(connection, self._runtime.vault, self._workspace, [new], self.now)

    def _move_task(self) -> None:
        with self._runtime.database.transaction() as connection:
            ids = connection.scalars(select(task.c.id).order_by(task.c.id)).all()
            if ids:
                move: Move = Take("Kim") if self._die.random() < 0.5 else Cancel()
                change_task(connection, self._runtime.vault, self._workspace, self._die.choice(ids), move, self.now)

    def _score(self) -> None:
        value = (self._somebody(), self._die.choice([10.0, 50.0, 90.0]))
        with self._runtime.database.transaction() as connection:
            record_scores(connection, "churn", [value], self.now)

    def _recategorise(self) -> None:
        category = self._die.choice(["drinks", "china"])
        file, yaml = self._folder / f"products{self._next()}.csv", self._folder / "products.yaml"
        file.write_text(f"sku,name,category\ncup,Cup,{category}\n", encoding="utf-8")
        yaml.write_text(
            "mapping: goods\nkind: products\ncolumns: {sku: sku, name: name, category: category}\n", encoding="utf-8"
        )
        loaded = load_mapping(yaml, self._workspace)
        run_import(
            self._runtime,
            self._workspace,
            loaded.kind,
            file,
            loaded,
            progress=lambda _done, _total: None,
            rejects_file=file.with_suffix(".rejects.csv"),
            now=self.now,
        )

    def count_people(self) -> int:
        with self._runtime.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(profile)) or 0
