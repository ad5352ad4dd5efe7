"""`postilion setup ses`: brings an AWS account to where mail can go out and reports come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.settings import Settings
    from delivery.providers.ses_setup import Part, SesSetup, Wanted

_app = typer.Typer(name="setup", no_args_is_help=True, help="Set up what lies outside this machine.")


def register(app: typer.Typer) -> None:
    app.add_typer(_app)


@_app.callback()
def setup() -> None:
    """Set up what lies outside this machine."""


@_app.command("ses")
def ses(
    context: typer.Context,
    apply: Annotated[bool, typer.Option("--apply", help="Do what the plan says.")] = False,
    by: Annotated[
        str | None, typer.Option(help="How reports come back: https or sqs. Default: https where we have it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what SES and SNS lack for the published senders, and with --apply make it; again changes nothing.

    Prints the DNS records to publish and the settings to start with.
    """
    from console.aws_setup import WayBack, wanted_of
    from core.errors import EnvironmentFaultError, InputError
    from delivery.providers.ses_setup import SesSetup
    from delivery.providers.transport import TransportError

    if by is not None and by not in set(WayBack):
        raise InputError(f"{by!r} is no way back: write https or sqs.")
    with open_workspace(context) as (runtime, workspace):
        settings = runtime.settings
        wanted = wanted_of(workspace, settings, WayBack(by) if by else None)
        aws = SesSetup(settings.aws_region, settings.aws_endpoint_url)
        try:
            parts = list(aws.walk(wanted, apply=apply))
            records = _records(settings, wanted)
        except TransportError as error:
            where = settings.aws_endpoint_url or f"AWS in {settings.aws_region}"
            raise EnvironmentFaultError(
                f"{where} answered {error.code}: check the credentials, their rights (docs/how-to/ses.md) and the "
                "region; what was done so far stays, and the command may be run again."
            ) from error
    variables = _variables(aws, wanted)
    if as_json:
        told = [{"kind": one.kind, "name": one.name, "standing": one.standing, "remark": one.remark} for one in parts]
        print_json({"applied": apply, "parts": told, "dns": records, "settings": variables})
    else:
        _tell(parts, records, variables, applied=apply)


def _records(settings: Settings, wanted: Wanted) -> dict[str, list[str]]:
    """The DNS records of each domain, with SES's own names in them as far as it has given some."""
    from console.doctor.dns_hints import records_of
    from delivery.providers.ses_account import SesAccount

    account = SesAccount(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)
    return {
        domain: records_of(domain, settings.aws_region, account.find_identity(f"postmaster@{domain}"))
        for domain in wanted.domains
    }


def _variables(aws: SesSetup, wanted: Wanted) -> dict[str, str]:
    found: dict[str, Any] = {"POSTILION_AWS_REGION": aws.region, "POSTILION_SNS_TOPICS": aws.topic_arn}
    if wanted.queue:
        found["POSTILION_SQS_QUEUE"] = aws.queue_url
    return {name: value for name, value in found.items() if value}


def _tell(parts: Sequence[Part], records: dict[str, list[str]], variables: dict[str, str], *, applied: bool) -> None:
    rows = [(one.standing.value, one.kind, f"{one.name}\n{one.remark}".strip()) for one in parts]
    print_table("AWS account", ["", "what", "name"], rows)
    for domain, hints in records.items():
        say(f"[bold]{domain}[/] needs in its DNS:\n" + "\n".join(f"  {hint}" for hint in hints) + "\n")
    if "POSTILION_SNS_TOPICS" in variables:
        say("Start Postilion with:\n" + "\n".join(f"  {name}={value}" for name, value in variables.items()) + "\n")
    open_count = sum(one.is_open for one in parts)
    if open_count and not applied:
        say(f"{open_count} to do: `postilion setup ses --apply` does it.")
    elif not open_count:
        say("[green]✓[/] Everything stands; `postilion doctor` says whether mail may go out.")
