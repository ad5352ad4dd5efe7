"""`tables.md`: every table and column, from the metadata and from the remarks that stand beside them in the code."""

from __future__ import annotations

import importlib
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, String, Table

from core.columns import Document, Instant, OrderedDocument
from core.personal import OnErasure, find_personal
from docs.pages.markdown import code, first_paragraph, page, table

ROOT = Path(__file__).resolve().parent.parent.parent
_PACKAGES = (
    "core",
    "customers",
    "delivery",
    "tracking",
    "insights",
    "segments",
    "recommender",
    "campaigns",
    "journeys",
)
_IS_TABLE = re.compile(r"^([a-z]\w*) = Table\(", re.MULTILINE)
_IS_COLUMN = re.compile(r'^\s+Column\("(\w+)"')
_KINDS: tuple[tuple[type, str], ...] = (
    (Instant, "instant"),
    (LargeBinary, "bytes, sealed"),
    (Boolean, "true or false"),
    (Float, "number"),
    (String, "text"),
    (Integer, "whole number"),
    (Document, "JSON"),
    (OrderedDocument, "JSON"),
)
_PURPOSES = {
    "definition": "the published versions of the project's files: what runs",
    "lease": "who is doing a job that only one process may do at a time",
    "cursor_position": "how far a reader of an append-only table has come",
    "data_key": "in the key store: each profile's own key, wrapped by the workspace key",
    "profile": "our record of one customer",
    "identity": "the identifiers of a profile: addresses, numbers, the shop's own, visitors",
    "customer_event": "the append-only customer log",
    "customer_order": "orders and returns",
    "order_line": "their lines",
    "product": "what the shop sells",
    "suppression": "addresses that nothing is sent to, with the reason",
    "import_batch": "files that were or are being imported, with their checkpoint",
    "write_key": "keys by which pages and servers may post events",
    "message": "the send ledger: one intention to reach one address once",
    "delivery_attempt": "calls to the provider",
    "delivery_event": "what providers reported",
    "pause": "what is not sent at present, and why",
    "send_rate": "how fast each channel may send, shared by all workers",
    "alarm": "what somebody should look at",
    "feedback_count": "what was reported about the messages of a campaign or journey, by day",
    "refused_callback": "what came out of a queue and could not be read",
    "webhook_endpoint": "how it stands with each webhook that events are sent to",
    "engagement_event": "opens, clicks and unsubscriptions, with the probability that a person did it",
    "membership": "who is in a segment now",
    "segment_rank": "each person's place in a ranking",
    "segment_rank_run": "what people were ranked by, how many and when",
    "model_card": "what the models of insights are worth, as they were when the scores were last made",
    "score": "one number a person under a name, and when it was reckoned",
    "score_run": "how often and when a score was recorded",
    "segment_refresh": "how the last refresh of a segment went",
    "segment_follow": "how far memberships follow what happens",
    "segment_fault": "who could not be asked about, and why",
    "segment_audit": "what the last comparison of memberships with a full rebuild found",
    "static_list_member": "who is on a list",
    "rule_set": "one mining of association rules, with its evaluation",
    "association_rule": "the rules of a rule set",
    "offer_decision": "which offers were chosen for whom, and how",
    "offer_impression": "offers that were shown or followed",
    "offer_code": "voucher codes: free in their pool, or drawn for somebody",
    "launch": "one execution of a campaign",
    "audience_member": "the frozen audience of a launch",
    "enrolment": "one profile's passage through one journey version",
    "journal": "what happened to an enrolment, in order",
    "timer": "when an enrolment is to be looked at again",
    "account_member": "who belongs to an account",
    "assignment": "which arm of a test somebody has",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A table, the module that declares it, and the remarks beside it: "" is the table's own."""

    table: Table
    module: str
    remarks: Mapping[str, str]


def render() -> str:
    return page(
        "Tables",
        "`*/tables.py` and `core/`",
        "The same on SQLite and PostgreSQL. An *instant* is a whole number of microseconds since 1970, UTC; money is a "
        "whole number of minor units beside its currency; *sealed* columns cannot be read without the workspace key. "
        "The history of the schema is in `migrations/`. Read what you like; change rows only where a page says so.",
        *_sections(),
    )


def declared_tables() -> Iterator[Declared]:
    """Every table of the project, in the order of packages and files."""
    for package in _PACKAGES:
        for path in sorted((ROOT / package).glob("*.py" if package == "core" else "*tables.py")):
            source = path.read_text(encoding="utf-8")
            names = _IS_TABLE.findall(source)
            if not names:
                continue
            module = importlib.import_module(f"{package}.{path.stem}")
            remarks = _remarks(source)
            for name in names:
                yield Declared(getattr(module, name), module.__name__, remarks[name])


def _sections() -> Iterator[str]:
    package = ""
    for declared in declared_tables():
        if declared.module.partition(".")[0] != package:
            package = declared.module.partition(".")[0]
            about = importlib.import_module(declared.module).__doc__ if declared.module.endswith("tables") else None
            yield f"## {package}\n\n{first_paragraph(about)}".strip()
        name = declared.table.name
        purpose = _PURPOSES.get(name) or declared.remarks[""]
        rows = [
            (code(column.name), _kind(column), _notes(column, declared.remarks)) for column in declared.table.columns
        ]
        sentences = f"{purpose[0].upper()}{purpose[1:]}.{_about_people(declared.table)}"
        yield f"### {name}\n\n{sentences}\n\n{table(['column', 'kind', 'remarks'], rows)}"


def _about_people(declared: Table) -> str:
    """What becomes of the rows when a profile is erased."""
    found = find_personal(declared) if declared.info else None
    if found is None:
        return ""
    if found.on_erasure is OnErasure.CLEAR:
        return f" Erasing a profile empties {', '.join(code(name) for name in found.clears)}."
    if found.on_erasure is OnErasure.DELETE:
        return " Erasing a profile deletes its rows."
    return " The rows of an erased profile stay: nothing in them tells who it was."


def _kind(column: Column[object]) -> str:
    kind = column.type
    if isinstance(kind, String) and kind.length:
        return f"text, {kind.length}"
    return next(words for known, words in _KINDS if isinstance(kind, known))


def _notes(column: Column[object], remarks: Mapping[str, str]) -> str:
    notes = ["key"] if column.primary_key else []
    notes += [f"→ {code(key.target_fullname)}" for key in column.foreign_keys]
    notes += ["may be empty"] if column.nullable else []
    notes += [remarks[column.name]] if column.name in remarks else []
    return "; ".join(notes)


def _remarks(source: str) -> dict[str, dict[str, str]]:
    """For each table, the comment at the end of each column's line, and under "" that beside the table's name."""
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.line.lstrip().startswith("#")
    }
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for number, line in enumerate(source.splitlines(), start=1):
        if begins := _IS_TABLE.match(line):
            current = found.setdefault(begins[1], {})
        elif number in comments and (column := _IS_COLUMN.match(line)):
            current[column[1]] = comments[number]
        elif number in comments and re.match(r'^\s+"\w+",', line):
            current[""] = comments[number]
    return found
