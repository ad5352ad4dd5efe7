"""Asking AWS for a check: the connection, and what the failures of asking mean to an operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from console.doctor.finding import Finding, note, warning, wrong
from console.doctor.patient import Patient
from delivery.providers.ses_account import NOT_REACHED, SesAccount
from delivery.providers.transport import TransportError


def asking_ses(patient: Patient, ask: Callable[[SesAccount], Iterable[Finding]]) -> Iterator[Finding]:
    """What `ask` finds; or that nobody was asked, which is no fault of the account."""
    settings = patient.settings
    if patient.is_offline:
        yield note("AWS was not asked")
        return
    where = settings.aws_endpoint_url or f"SES in {settings.aws_region}"
    try:
        yield from ask(SesAccount(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url))
    except TransportError as error:
        if error.code == "NoCredentialsError":
            yield note(f"{where} was not asked: there are no AWS credentials", "give some as boto3 looks for them")
        elif error.code in NOT_REACHED:
            yield note(f"{where} was not asked: it cannot be reached ({error.code})")
        elif error.code == "AccessDeniedException":
            way_out = "allow the role ses:GetAccount, ses:GetEmailIdentity and ses:GetConfigurationSetEventDestinations"
            yield warning(f"{where} does not let these credentials ask", way_out)
        else:
            yield wrong(f"{where} answered {error.code}", "check POSTILION_AWS_REGION and the credentials")
