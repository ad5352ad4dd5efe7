"""The SES account: may it send, to everybody, and is there some quota left today."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.aws import asking_ses
from console.doctor.finding import Finding, fine, warning, wrong
from console.doctor.patient import Patient
from delivery.providers.ses_account import SesAccount

_NEARLY_USED = 0.9


def examine(patient: Patient) -> Iterator[Finding]:
    yield from asking_ses(patient, _look)


def _look(ses: SesAccount) -> Iterator[Finding]:
    account = ses.get_account()
    if not account.is_sending_enabled or account.enforcement == "SHUTDOWN":
        way_out = "look into the SES console under Account dashboard, and answer what AWS asks there"
        yield wrong(f"sending is stopped by AWS ({account.enforcement.lower()})", way_out)
        return
    if account.enforcement == "PROBATION":
        yield warning("AWS has the account under review", "lower bounces and complaints, and answer AWS's mail")
    if not account.reaches_everybody:
        text = "the account is in Amazon's sandbox and reaches verified addresses only"
        yield warning(text, "ask for production access in the SES console under Account dashboard")
    limited = account.max_24_hours > 0
    used = f"{account.sent_24_hours:,.0f}" + (f" of {account.max_24_hours:,.0f}" if limited else "")
    if limited and account.sent_24_hours >= _NEARLY_USED * account.max_24_hours:
        yield warning(f"{used} messages of the last 24 hours are used", "ask AWS for a higher quota, or send less")
    else:
        yield fine(f"may send, {used} in the last 24 hours, {account.max_rate:,.0f} a second")
