"""Prefect's server as a private part of `postilion up`: its own folder, this machine only, nothing told to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.settings import Settings, child_environment

HOST = "127.0.0.1"

_QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
}
# A third of the idle cost, for automations, work pools and labels that one machine with one runner does not need.
_LEAN = {
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "30",
}


def is_private(settings: Settings) -> bool:
    """Whether the server is ours alone, and nobody gave the address of another."""
    return not settings.prefect_api_url


def server_url(settings: Settings) -> str:
    """Where its pages are."""
    if is_private(settings):
        return f"http://{HOST}:{settings.prefect_port_number}"
    return settings.prefect_api_url.rstrip("/").removesuffix("/api")


def server_command(settings: Settings) -> list[str]:
    """Python's arguments: what `prefect server start --background` runs itself, without its start time."""
    application = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    return [
        *(*application, "--host", HOST, "--port", str(settings.prefect_port_number)),
        *("--log-level", "warning", "--timeout-keep-alive", "5"),
    ]


def prefect_environment(settings: Settings) -> dict[str, str]:
    """The environment of everything that speaks to the server, and of the server itself."""
    environment = child_environment(settings, **_QUIET)
    environment["NO_PROXY"] = _without_proxy(environment)
    if not is_private(settings):
        return environment | {"PREFECT_API_URL": settings.prefect_api_url}
    home = settings.state_folder / "prefect"
    return environment | _LEAN | _own_home(home) | {"PREFECT_API_URL": f"{server_url(settings)}/api"}


def server_environment(settings: Settings) -> dict[str, str]:
    (settings.state_folder / "prefect").mkdir(parents=True, exist_ok=True)
    return prefect_environment(settings) | {"PREFECT__SERVER_FINAL": "1"}


def _own_home(home: Path) -> dict[str, str]:
    # Without a path for profiles, those of the user's own Prefect would be read.
    return {"PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml")}


def _without_proxy(environment: Mapping[str, str]) -> str:
    """A company's proxy must not be asked for this machine."""
    known = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    return ",".join(filter(None, [known, HOST, "localhost"]))
