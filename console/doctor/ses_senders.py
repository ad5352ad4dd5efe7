"""Each sender's identity, verified and signing, and the configuration set that reports what became of its mails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from console.doctor.aws import asking_ses
from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient
from customers.workspace import Sender, Workspace
from delivery.providers.ses_account import SesAccount

_NEEDED = frozenset({"BOUNCE", "COMPLAINT"})  # without them dead addresses and angry people are written to again
_WANTED = frozenset({"SEND", "DELIVERY", "REJECT", "RENDERING_FAILURE", "DELIVERY_DELAY"})


def examine(patient: Patient) -> Iterator[Finding]:
    senders = [sender for sender in mail_senders(patient.workspace) if _goes_by_ses(sender, patient)]
    if not senders:
        yield note("no sender of e-mail that goes by SES is published")
        return

    def ask(ses: SesAccount) -> Iterator[Finding]:
        yield from _identities(ses, senders, wrong if not patient.settings.aws_endpoint_url else warning)
        yield from _sets(ses, senders)
        if not patient.settings.sqs_queue:  # what comes by our own queue is believed
            yield from _topics(ses, senders, patient.settings.trusted_topics)

    yield from asking_ses(patient, ask)


def _goes_by_ses(sender: Sender, patient: Patient) -> bool:
    served_by = sender.transport or patient.settings.chosen_transports.get(sender.channel, "ses")
    return served_by.startswith("ses")


def mail_senders(workspace: Workspace | None) -> list[Sender]:
    return [sender for sender in workspace.senders.values() if sender.channel == "email"] if workspace else []


def _identities(
    ses: SesAccount, senders: Iterable[Sender], missing: Callable[[str, str], Finding]
) -> Iterator[Finding]:
    """`missing` says how bad an unknown identity is: a stand-in for SES takes mail of anybody."""
    for domain, address in sorted({sender.address.rpartition("@")[2]: sender.address for sender in senders}.items()):
        identity = ses.find_identity(address)
        if identity is None:
            yield missing(
                f"{domain} is no identity of the account",
                "`postilion setup ses --apply` makes it one; then publish its DNS records",
            )
        elif not identity.is_verified:
            yield wrong(f"{identity.name} is not verified", "publish the DNS records that SES shows for it")
        elif identity.dkim_status != "SUCCESS":
            text = f"{identity.name} does not sign its mails (DKIM: {identity.dkim_status.lower()})"
            yield wrong(text, "publish its three DKIM records, see the DNS hints below")
        elif identity.mail_from_status not in (None, "SUCCESS"):
            text = f"the MAIL FROM domain {identity.mail_from_domain} is {str(identity.mail_from_status).lower()}"
            yield warning(text, "publish its MX and SPF records, see the DNS hints below")
        else:
            yield fine(f"{identity.name} is verified and signs")


def _sets(ses: SesAccount, senders: Iterable[Sender]) -> Iterator[Finding]:
    for name in sorted({sender.configuration_set or "" for sender in senders}):
        if not name:
            text = "a sender has no configuration set, and nobody will hear of its bounces"
            yield wrong(text, "add `configuration_set:` to it in workspace.yaml")
            continue
        kinds = ses.find_reported_events(name)
        if kinds is None:
            yield wrong(f"there is no configuration set {name}", "`postilion setup ses --apply` makes it")
        elif not kinds >= _NEEDED:
            text = f"{name} does not report {_told(_NEEDED - kinds)}"
            yield wrong(text, "`postilion setup ses --apply` adds an event destination with these events")
        elif not kinds >= _WANTED:
            yield warning(f"{name} does not report {_told(_WANTED - kinds)}", "add them to its event destination")
        else:
            yield fine(f"{name} reports everything")


def _topics(ses: SesAccount, senders: Iterable[Sender], trusted: frozenset[str]) -> Iterator[Finding]:
    for name in sorted({sender.configuration_set for sender in senders if sender.configuration_set}):
        for topic in sorted(ses.list_topics_of(name) - trusted):
            text = f"{name} reports to {topic}, whose notifications are not believed"
            yield wrong(text, "add the topic to POSTILION_SNS_TOPICS and start again")


def _told(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kind.replace("_", " ").lower() for kind in kinds))
