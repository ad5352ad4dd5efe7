"""Sends to one webhook until it is killed: `python -m tests.tracking.webhook_sender DATABASE KEYS PEM URL`."""

from __future__ import annotations

import ssl
import sys

from core.clock import SystemClock
from core.database import Database
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.workspace import WebhookSpec
from tests.tracking.server import KEY
from tracking.outgoing.sending import Sender


def main(database_url: str, keys_url: str, certificate: str, url: str) -> None:
    runtime = Runtime(Settings(), Database(database_url), Vault(KEY, open_key_store(keys_url)), SystemClock())
    tls = ssl.create_default_context(cafile=certificate)
    Sender(runtime, "crm", WebhookSpec(url), "killed", tls=tls, allows_private=True).send()


if __name__ == "__main__":
    main(*sys.argv[1:])
