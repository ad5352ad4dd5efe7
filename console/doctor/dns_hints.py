"""The DNS records that each sender's domain should have, as hints: the DNS itself is not asked."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.aws import asking_ses
from console.doctor.finding import Finding, note
from console.doctor.patient import Patient
from console.doctor.ses_senders import mail_senders
from delivery.providers.ses_account import SenderIdentity, SesAccount

_TOKENS = ("TOKEN1", "TOKEN2", "TOKEN3")  # while SES was not asked for those of the domain


def examine(patient: Patient) -> Iterator[Finding]:
    senders = mail_senders(patient.workspace)
    addresses = {sender.address.rpartition("@")[2].lower(): sender.address for sender in senders}
    identities: dict[str, SenderIdentity | None] = {}

    def ask(ses: SesAccount) -> Iterator[Finding]:
        identities.update({domain: ses.find_identity(address) for domain, address in addresses.items()})
        yield from ()

    if addresses:
        list(asking_ses(patient, ask))  # what it finds wrong is said by the check of the senders
    else:
        yield note("no sender of e-mail is published")
    for domain in sorted(addresses):
        hints = records_of(domain, patient.settings.aws_region, identities.get(domain))
        yield note(f"{domain} should have, in its DNS:", "\n".join(hints))


def records_of(domain: str, region: str, identity: SenderIdentity | None = None) -> list[str]:
    """DKIM (RFC 6376) by the names that SES gave, SPF (RFC 7208) of the MAIL FROM domain, and DMARC (RFC 7489)."""
    tokens = (identity.dkim_tokens if identity else ()) or _TOKENS
    mail_from = (identity.mail_from_domain if identity else None) or f"bounce.{domain}"
    return [
        *(f"DKIM   {token}._domainkey.{domain}  CNAME  {token}.dkim.amazonses.com" for token in tokens),
        f'SPF    {mail_from}  TXT  "v=spf1 include:amazonses.com ~all"',
        f"       {mail_from}  MX  10 feedback-smtp.{region}.amazonses.com",
        f'DMARC  _dmarc.{domain}  TXT  "v=DMARC1; p=none; rua=mailto:postmaster@{domain}"',
    ]
