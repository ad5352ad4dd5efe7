"""The process of `postilion up` that fetches reports: it fetches, and it ends when it is asked to."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from cli.serving.reports import fetch_until_asked
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from delivery.tables import delivery_event
from sandbox.server import SandboxServer
from tests.delivery.ledger_shop import NOW, WORKSPACE
from tests.delivery.test_feedback import ses_event
from tests.sandbox.conftest import client_for, wait_until


def test_reports_are_fetched_until_somebody_asks_to_stop(database: Database, tmp_path: Path) -> None:
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
    with SandboxServer() as sandbox:
        sqs = client_for(sandbox.url, "sqs")
        url = sqs.create_queue(QueueName="reports")["QueueUrl"]
        settings = replace(Settings(project=str(tmp_path)), aws_endpoint_url=sandbox.url, sqs_queue=url)
        stopped = threading.Event()
        runtime = Runtime(settings, database, vault, ManualClock(NOW))
        process = threading.Thread(target=fetch_until_asked, args=(runtime, stopped))
        process.start()
        sqs.send_message(QueueUrl=url, MessageBody=ses_event("Delivery"))

        def is_stored() -> bool:
            with database.read() as connection:
                return connection.execute(select(func.count()).select_from(delivery_event)).scalar_one() == 1

        wait_until(is_stored)
        asked_at = time.monotonic()
        stopped.set()
        process.join(10)
        assert not process.is_alive()
        assert time.monotonic() - asked_at < 5
    vault.close()
