"""Where this process finds things: the only reader of the environment.

Every setting is an environment variable `POSTILION_<NAME>`; `docs/reference/settings.md` is made from this table. What
a marketer decides stands in the project folder instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from core.errors import InputError


def _setting(default: str, text: str, *, is_secret: bool = False) -> Any:
    return field(default=default, repr=not is_secret, metadata={"text": text})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings as text, with what they mean; the properties below give them their kinds."""

    project: str = _setting(".", "The project folder: `workspace.yaml`, `segments/`, `campaigns/` and so on.")
    state: str = _setting("", "Folder for what the engine keeps itself. Default: `.postilion` in the project folder.")
    database_url: str = _setting(
        "", "System of record, `sqlite:///FILE` or `postgresql://…`. Default: `postilion.db` in the state folder."
    )
    keys_url: str = _setting(
        "",
        "Store of the wrapped data keys. Default: `keys.db` beside the SQLite file, the schema `keys` on PostgreSQL.",
    )
    key_file: str = _setting(
        "",
        "The workspace key. Default: `postilion/WORKSPACE.key` in the user's configuration folder (XDG_CONFIG_HOME).",
    )
    public_url: str = _setting(
        "http://127.0.0.1:8000", "Address under which customers reach this server: links, pixel, unsubscribe."
    )
    assets_url: str = _setting(
        "", "Where `apply` publishes `assets/`: `s3://BUCKET/PREFIX`. Default: the web server shows them itself."
    )
    assets_public_url: str = _setting(
        "",
        "Address under which mails find what is published there, a CDN's for instance. Default: `/assets` of "
        "POSTILION_PUBLIC_URL, or the bucket's own address.",
    )
    host: str = _setting("127.0.0.1", "Address the web server listens on.")
    port: str = _setting("8000", "Port the web server listens on.")
    aws_region: str = _setting("eu-central-1", "AWS region of SES, SNS and End User Messaging.")
    aws_endpoint_url: str = _setting(
        "", "Send to this address instead of AWS: the sandbox, for instance http://127.0.0.1:8026."
    )
    transports: str = _setting(
        "", "Which transport serves a channel, such as `email=smtp, sms=sns_sms`. Default: the first of each channel."
    )
    smtp_url: str = _setting(
        "",
        "Mail server of the transport `smtp`: `smtp://user:password@host:587` (STARTTLS), `smtps://…:465`, or "
        "`smtp+plain://127.0.0.1:25` for one on this machine.",
        is_secret=True,
    )
    capture: str = _setting("", "Folder into which every message is written instead of being sent, for development.")
    kms_key_id: str = _setting(
        "",
        "The AWS KMS key (id, ARN or alias) that wraps the workspace key. Default: the key stands plain in its file.",
    )
    sns_topics: str = _setting("", "Comma-separated ARNs of the SNS topics whose notifications are believed.")
    sqs_queue: str = _setting(
        "",
        "URL of an SQS queue from which reports are fetched, beside or instead of the web server's callback.",
    )
    sns_certificates: str = _setting("", "Folder with SNS signing certificates that are trusted without a download.")
    cors_origins: str = _setting("", "Comma-separated origins of the shop's pages that may post events from a browser.")
    ingestion: str = _setting(
        "",
        "Where events, opens and clicks are durable when they are answered: in the `log` on this machine's disk, from "
        "which they are loaded within seconds, or in the `database`. Default: `database` on SQLite, else `log`.",
    )
    trusted_proxies: str = _setting(
        "",
        "Comma-separated addresses or networks of the proxies in front of this server, whose `X-Forwarded-For` is "
        "believed, such as `10.0.0.0/8`; `*` for a server that only its proxy can reach. Default: nobody's.",
    )
    networks: str = _setting(
        "",
        "File with networks of datacentres, scanners and relays, beside those that Postilion knows (see "
        "`tracking/networks.txt`), to tell people from machines.",
    )
    events_per_key: str = _setting(
        "20000",
        "Events a second that one write key may post to one process; more is answered with 429. 0: no limit. A key's "
        "own limit goes before it.",
    )
    events_per_network: str = _setting(
        "1000", "Events a second that one client address may post with public write keys. 0: no limit."
    )
    cookie_countries: str = _setting(
        "",
        "Comma-separated ISO codes of countries where a browser may get the visitor cookie unless its user says no. "
        "Everywhere else it is set under consent only. The country is that of your proxy's X-Country-Code header.",
    )
    prefect_api_url: str = _setting("", "An existing Prefect server. Default: `postilion up` starts a private one.")
    prefect_port: str = _setting("4201", "Port of the private Prefect server.")
    reader_url: str = _setting(
        "",
        "The database under a role that may only SELECT (PostgreSQL): previews, explanations and exports use it. "
        "Default: the role of POSTILION_DATABASE_URL in a read-only transaction.",
        is_secret=True,
    )
    segment_rows: str = _setting(
        "200000000",
        "How many rows a segment may look at by the estimate; above it is refused, unless it is forced. 0: no limit.",
    )
    segment_timeout: str = _setting("60", "Seconds that one statement of a preview or an export may take.")
    snapshot_from: str = _setting(
        "20000",
        "From how many people on a refresh of segments asks a columnar copy in the state folder, ids and plain values "
        "alone, instead of the database. 0: never.",
    )
    exports: str = _setting(
        "", "Folder below which scheduled exports are written. Default: `exports` in the state folder."
    )
    workers: str = _setting("8", "Threads that hand messages to the provider.")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")

    @property
    def project_folder(self) -> Path:
        return Path(self.project).expanduser().resolve()

    @property
    def state_folder(self) -> Path:
        return Path(self.state).expanduser().resolve() if self.state else self.project_folder / ".postilion"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.state_folder / 'postilion.db'}"

    @property
    def keys_database(self) -> str:
        if self.keys_url:
            return self.keys_url
        if self.database.startswith("sqlite:///"):
            return f"sqlite:///{Path(self.database.removeprefix('sqlite:///')).with_name('keys.db')}"
        return self.database

    @property
    def has_log(self) -> bool:
        """Whether what comes in goes by way of the ingestion log."""
        if self.ingestion not in ("", "log", "database"):
            raise InputError(f"POSTILION_INGESTION is {self.ingestion!r}: write log or database.")
        return self.ingestion == "log" or (not self.ingestion and not self.database.startswith("sqlite"))

    @property
    def ingestion_folder(self) -> Path:
        return self.state_folder / "ingest"

    @property
    def assets_folder(self) -> Path:
        return self.state_folder / "assets"

    @property
    def assets_base(self) -> str:
        """The address below which every asset lies."""
        if self.assets_public_url:
            return self.assets_public_url.rstrip("/")
        if not self.assets_url:
            return f"{self.public_url.rstrip('/')}/assets"
        bucket, _, prefix = self.assets_url.removeprefix("s3://").strip("/").partition("/")
        return f"https://{bucket}.s3.{self.aws_region}.amazonaws.com/{prefix}".rstrip("/")

    @property
    def port_number(self) -> int:
        return _number(self.port, "POSTILION_PORT")

    @property
    def prefect_port_number(self) -> int:
        return _number(self.prefect_port, "POSTILION_PREFECT_PORT")

    @property
    def worker_count(self) -> int:
        return max(1, _number(self.workers, "POSTILION_WORKERS"))

    @property
    def events_per_key_number(self) -> int:
        return _number(self.events_per_key, "POSTILION_EVENTS_PER_KEY")

    @property
    def events_per_network_number(self) -> int:
        return _number(self.events_per_network, "POSTILION_EVENTS_PER_NETWORK")

    @property
    def segment_rows_number(self) -> int:
        return _number(self.segment_rows, "POSTILION_SEGMENT_ROWS")

    @property
    def snapshot_from_number(self) -> int:
        return _number(self.snapshot_from, "POSTILION_SNAPSHOT_FROM")

    @property
    def segment_timeout_length(self) -> timedelta:
        return timedelta(seconds=max(1, _number(self.segment_timeout, "POSTILION_SEGMENT_TIMEOUT")))

    @property
    def exports_folder(self) -> Path:
        return Path(self.exports).expanduser().resolve() if self.exports else self.state_folder / "exports"

    @property
    def capture_folder(self) -> Path | None:
        """Where messages end instead of being sent; None in earnest."""
        return Path(self.capture).expanduser().resolve() if self.capture else None

    @property
    def reaches_nobody(self) -> bool:
        """Whether messages end in a sandbox or a folder, so that addresses which an import made up will do."""
        return bool(self.aws_endpoint_url) or self.capture_folder is not None

    @property
    def chosen_transports(self) -> dict[str, str]:
        """Channel to the name of its transport, as far as the setting says."""
        chosen = dict(item.partition("=")[::2] for item in self.transports.split(",") if item.strip())
        for channel, name in chosen.items():
            if not name.strip():
                raise InputError(f"POSTILION_TRANSPORTS has {channel.strip()!r} without a name: write email=smtp.")
        return {channel.strip(): name.strip() for channel, name in chosen.items()}

    @property
    def trusted_topics(self) -> frozenset[str]:
        return _words(self.sns_topics)

    @property
    def allowed_origins(self) -> frozenset[str]:
        return _words(self.cors_origins)

    @property
    def unasked_countries(self) -> frozenset[str]:
        return _words(self.cookie_countries.upper())

    def key_path(self, workspace: str) -> Path:
        """The workspace key's file: outside the project folder and outside what a database backup holds."""
        if self.key_file:
            return Path(self.key_file).expanduser().resolve()
        base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(base) / "postilion" / f"{workspace}.key"

    def environment(self) -> dict[str, str]:
        """The variables that give a child process these settings."""
        return {f"POSTILION_{item.name.upper()}": getattr(self, item.name) for item in fields(self)}


def load_settings(environment: Mapping[str, str] | None = None, **overrides: str | None) -> Settings:
    """Settings from `environment` (default: the process's), overridden by what is given and not None."""
    source = os.environ if environment is None else environment
    values = {
        item.name: source[name] for item in fields(Settings) if (name := f"POSTILION_{item.name.upper()}") in source
    }
    return Settings(**values | {name: value for name, value in overrides.items() if value is not None})


def child_environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The whole environment for a child process of ours."""
    return {**os.environ, **settings.environment(), **extra}


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}, which is not a whole number: write one, such as 8000.") from None


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())
