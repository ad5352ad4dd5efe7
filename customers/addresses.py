"""One spelling for each identifier, so that the same person is found however the address was typed.

Two e-mail addresses are one when they differ in case only, in how an accent is encoded (NFC), or in whether the domain
is written in its own letters or in the ASCII form (`bücher.example`, `xn--bcher-kva.example`). A plus tag or a dot
makes another address: who has both may be one person, which is for a person to decide (see customers/proposals.py).
The one spelling is also what is written to; no provider of note tells capitals in a local part apart. Pure: nothing is
looked up, and whether an address exists is learnt by writing to it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from core.errors import InputError
from customers.tables import IdentityKind

# What scripts send when they know nobody: taking it for a person would make one person of all strangers.
NOBODY = frozenset(
    {
        "",
        "null",
        "undefined",
        "none",
        "nil",
        "nan",
        "anonymous",
        "guest",
        "unknown",
        "0",
        "-1",
        "test",
        "n/a",
        "[object object]",
        "true",
        "false",
        "00000000-0000-0000-0000-000000000000",
    }
)

_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_IDEOGRAPHIC_STOP = "\u3002"  # a full stop as Chinese and Japanese keyboards write it
_MAX_EMAIL, _MAX_LOCAL_PART, _MAX_NAME = 254, 64, 150


def normalise(kind: str, value: str, region: str | None = None) -> str:
    """`value` in the one spelling under which its kind is compared. Raises InputError, without repeating an address.

    E-mail: NFC, small letters, the domain in its ASCII form. Phone: E.164; `region` (ISO 3166) is the country of
    numbers without one. Other kinds are kept as they are, but words such as "null" and "guest" name nobody.
    """
    text = unicodedata.normalize("NFC", str(value)).strip()
    if kind == IdentityKind.EMAIL:
        return _email(text)
    if kind == IdentityKind.PHONE:
        return _phone(text, region)
    if text.lower() in NOBODY:
        raise InputError(f"{text!r} names nobody: leave the {kind} out for people who are not known.")
    if len(text) > _MAX_NAME or not text.isprintable():
        raise InputError(f"the {kind} is longer than {_MAX_NAME} characters or not printable.")
    return text


def without_tag(normalised: str) -> str | None:
    """`ann@shop.example` for `ann+news@shop.example`; None for an address without a plus tag."""
    local_part, _, domain = normalised.rpartition("@")
    name, plus, _tag = local_part.partition("+")
    return f"{name}@{domain}" if plus and name else None


def email_domain(normalised: str) -> str:
    return normalised.rpartition("@")[2]


def phone_country(normalised: str) -> str | None:
    """ISO 3166 code of the country of a number in E.164, None for a number of no country."""
    import phonenumbers

    return phonenumbers.region_code_for_number(phonenumbers.parse(normalised))


def _email(text: str) -> str:
    local_part, at, domain = text.rpartition("@")
    well_formed = (
        at
        and len(local_part) <= _MAX_LOCAL_PART
        and _LOCAL_PART.fullmatch(local_part)
        and not local_part.startswith(".")
        and not local_part.endswith(".")
        and ".." not in local_part
    )
    ascii_domain = _domain(domain.lower())
    if not well_formed or not ascii_domain:
        raise InputError("this is not an e-mail address: write name@domain.example.")
    normalised = f"{local_part.lower()}@{ascii_domain}"
    if len(normalised) > _MAX_EMAIL:
        raise InputError(f"the e-mail address is longer than {_MAX_EMAIL} characters.")
    return normalised


@lru_cache(maxsize=10_000)  # a file of customers has few different domains
def _domain(domain: str) -> str:
    """The ASCII form of a domain that mail may go to; empty for anything else."""
    ascii_domain = _ascii(domain)
    labels = ascii_domain.split(".")
    is_domain = len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return ascii_domain if is_domain else ""


def _ascii(domain: str) -> str:
    """The ASCII form of a domain in small letters; empty for one that has none.

    As IDNA 2008 and browsers have it, `ß` is a letter of its own: `straße` and `strasse` are two domains.
    """
    if domain.isascii():
        return domain
    labels = unicodedata.normalize("NFKC", domain).replace(_IDEOGRAPHIC_STOP, ".").lower().split(".")
    return ".".join(map(_ascii_label, labels))


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    if not all(character == "-" or unicodedata.category(character)[0] in "LMN" for character in label):
        return ""
    return "xn--" + unicodedata.normalize("NFC", label).encode("punycode").decode()


def _phone(text: str, region: str | None) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    # Possible, not valid: numbering plans change faster than any list of them.
    if number is None or not phonenumbers.is_possible_number(number):
        raise InputError("this is not a telephone number: write +44 20 7946 0018, with the country first.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
