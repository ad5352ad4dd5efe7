"""`postilion up`: everything that runs by itself, with one command, until Ctrl-C."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import options_of
from cli.output import say
from core.errors import InputError

if TYPE_CHECKING:
    from cli.serving.supervisor import Supervisor
    from core.settings import Settings

_SANDBOX_HOST = "127.0.0.1"


def register(app: typer.Typer) -> None:
    app.command("up")(up)


def up(
    context: typer.Context,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Send to a local AWS stand-in, and start it too.")] = False,
    sandbox_port: Annotated[int, typer.Option(help="Port of the stand-in.")] = 8026,
) -> None:
    """Start the web server, the schedules and the sending, and keep them running until Ctrl-C."""
    from cli.serving.prefect_server import HOST, is_private
    from cli.serving.ready_checks import check_ready, only_one
    from cli.serving.supervisor import supervising

    options = options_of(context)
    if options.now:
        raise InputError("`postilion up` lives in the present: leave --now out.")
    settings = options.settings
    ports = [("POSTILION_PORT", settings.host, settings.port_number)]
    if is_private(settings):
        ports.append(("POSTILION_PREFECT_PORT", HOST, settings.prefect_port_number))
    if sandbox:
        ports.append(("--sandbox-port", _SANDBOX_HOST, sandbox_port))
        settings = _sending_to_sandbox(settings, sandbox_port)
    workspace = check_ready(settings, ports)
    with only_one(settings.state_folder), supervising(settings.state_folder / "log", _tell) as supervisor:
        if _start(supervisor, settings, workspace, sandbox_port if sandbox else None):
            supervisor.watch()
        say("\nStopping …")
    say("[green]✓[/] everything has stopped")


def _start(supervisor: Supervisor, settings: Settings, workspace: str, sandbox_port: int | None) -> bool:
    """Start every part; False when somebody asks to stop meanwhile."""
    from rich.console import Console

    from cli.serving.prefect_server import (
        is_private,
        prefect_environment,
        server_command,
        server_environment,
        server_url,
    )

    environment = prefect_environment(settings)
    web_url = f"http://{_reachable(settings.host)}:{settings.port}"
    with Console(stderr=True).status("starting") as status:
        web = supervisor.start("web server", ["-m", "cli.serving.web", workspace], environment)
        server = None
        if is_private(settings):
            server = supervisor.start("Prefect server", server_command(settings), server_environment(settings))
        if not supervisor.wait_until_it_answers(web, f"{web_url}/ready"):
            return False
        _tell_part("web server", web_url)
        if sandbox_port is not None:
            url = f"http://{_SANDBOX_HOST}:{sandbox_port}"
            command = ["-m", "cli.main", "sandbox", "--host", _SANDBOX_HOST, "--port", str(sandbox_port)]
            if not supervisor.wait_until_it_answers(supervisor.start("sandbox", command, environment), url):
                return False
            _tell_part("sandbox", f"{url}  (mails end here)")
        if server is not None:
            status.update("starting Prefect's server, which takes half a minute the first time")
            if not supervisor.wait_until_it_answers(server, f"{server_url(settings)}/api/ready"):
                return False
        _tell_part("runs", f"{server_url(settings)}/runs")
        if settings.sqs_queue:
            supervisor.start("reports", ["-m", "cli.serving.reports", workspace], environment)
            _tell_part("reports", settings.sqs_queue)
        status.update("registering schedules")
        supervisor.start_runner(["-m", "cli.serving.runner", workspace], environment)
        supervisor.hear_first()
    _tell_part("logs", str(settings.state_folder / "log"))
    say("Ctrl-C stops everything.")
    return not supervisor.is_stopped


def _sending_to_sandbox(settings: Settings, port: int) -> Settings:
    """The settings with which all parts send to the sandbox and believe what it reports."""
    from sandbox.options import SandboxOptions

    return replace(
        settings,
        aws_endpoint_url=f"http://{_SANDBOX_HOST}:{port}",
        sns_topics=SandboxOptions(region=settings.aws_region).topic_arn,
        sns_certificates=str(settings.state_folder / "sandbox" / "certificates"),
    )


def _reachable(host: str) -> str:
    """Where a server that listens on `host` is found from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)


def _tell_part(name: str, text: str) -> None:
    say(f"[green]✓[/] {name:<12} [bold]{text}[/]")


def _tell(line: str) -> None:
    say(f"[green]·[/] {line}")
