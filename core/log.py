"""The log lines of every process: one line an event on standard error, and never an address or a token in them."""

from __future__ import annotations

import logging
import re
import sys

from core.errors import InputError

# Deliberately broad: a masked word too many is cheaper than one address too few.
_SECRETS = re.compile(
    r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"  # e-mail
    r"|\+\d[\d ()/-]{7,}\d"  # phone number in international form
    r"|(?<=/[ocupv]/)[\w-]{16,}"  # tokens in our own links
    r"|(?i:bearer|basic)\s+[\w+/=.-]+"
)


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def mask(text: str) -> str:
    """`text` with addresses and tokens replaced by «***»."""
    return _SECRETS.sub("***", text)


def configure_logging(level: str) -> None:
    """Send the log to standard error from `level` on."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise InputError(f"POSTILION_LOG_LEVEL is {level!r}: write DEBUG, INFO, WARNING or ERROR.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masking("%(asctime)s %(levelname)-7s %(name)s %(message)s"))
    logging.basicConfig(level=number, handlers=[handler], force=True)
    for library in ("boto3", "botocore", "urllib3"):  # at DEBUG they write whole requests: mails, and keys for KMS
        logging.getLogger(library).setLevel(max(number, logging.INFO))
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))  # it reports every start-up
