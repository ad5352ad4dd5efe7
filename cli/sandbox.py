"""`postilion sandbox`: the local stand-in for AWS, to try everything without sending anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import options_of
from cli.output import say


def register(app: typer.Typer) -> None:
    app.command("sandbox")(sandbox)


def sandbox(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8026,
    folder: Annotated[
        Path | None, typer.Option(help="Where mails are kept. Default: sandbox/ in the state folder.")
    ] = None,
    feedback: Annotated[
        str | None, typer.Option(help="Where events go. Default: this project's SES callback.", metavar="URL")
    ] = None,
    rate: Annotated[float, typer.Option(help="Messages a second that it accepts.")] = 200.0,
    latency: Annotated[int, typer.Option(help="Milliseconds that each call takes.", metavar="MS")] = 0,
) -> None:
    """Speak enough of SES, SNS, SQS and SMS for unmodified boto3, and show every mail in the browser."""
    from sandbox.options import SandboxOptions
    from sandbox.server import serve

    settings = options_of(context).settings
    place = folder or settings.state_folder / "sandbox"
    options = SandboxOptions(
        folder=place,
        certificates=place / "certificates",
        feedback_url=feedback or f"http://{settings.host}:{settings.port}/v1/callbacks/ses",
        region=settings.aws_region,
        max_send_rate=rate,
        latency_ms=latency,
    )

    def ready(url: str) -> None:
        say(
            f"The sandbox listens at [bold]{url}[/]: open it to look at mails.\n"
            f"Send to it with POSTILION_AWS_ENDPOINT_URL={url} and believe its events with\n"
            f"POSTILION_SNS_TOPICS={options.topic_arn} POSTILION_SNS_CERTIFICATES={options.certificates}"
        )

    serve(options, host=host, port=port, ready=ready)
