"""What becomes of a message, read off the recipient's address. Pure.

The words are those of the SES mailbox simulator (`bounce@simulator.amazonses.com`, `+label` allowed). The
same words work at every domain under `sandbox.invalid`, so that thousands of distinct addresses can bounce;
whoever else is addressed gets it.
"""

from __future__ import annotations

from enum import StrEnum

SIMULATOR_DOMAIN = "simulator.amazonses.com"
SANDBOX_DOMAIN = "sandbox.invalid"

# Destinations that AWS documents for trying SMS without a carrier; both belong to a US range that no person has.
SMS_UNREACHABLE = "+14254147167"


class Outcome(StrEnum):
    DELIVERED = "success"
    BOUNCED = "bounce"
    OUT_OF_OFFICE = "ooto"
    COMPLAINED = "complaint"
    SUPPRESSED = "suppressionlist"


_BY_WORD = {outcome.value: outcome for outcome in Outcome}


def mail_outcome(address: str) -> Outcome:
    """The fate of one copy of a mail; `address` is bare (`name@domain`), letters of either case."""
    local, _, domain = address.lower().rpartition("@")
    if domain in (SIMULATOR_DOMAIN, SANDBOX_DOMAIN) or domain.endswith("." + SANDBOX_DOMAIN):
        return _BY_WORD.get(local.partition("+")[0], Outcome.DELIVERED)
    return Outcome.DELIVERED


def sms_outcome(number: str) -> Outcome:
    return Outcome.BOUNCED if number == SMS_UNREACHABLE else Outcome.DELIVERED
