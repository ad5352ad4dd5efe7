"""Faults as SARIF 2.1.0, the form in which code hosts show them beside the lines of a change.

Source of the format: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", sections 3.14 to 3.30.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from core.errors import Fault, Severity
from core.fault_codes import get_fault_code

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"  # what hosts replace by the root of the repository


def write_sarif(faults: Sequence[Fault], folder: PurePath) -> dict[str, Any]:
    """One run with one result a fault; `folder` leads from the root of the repository to the project."""
    codes = sorted({fault.code for fault in faults})
    rules = {code: number for number, code in enumerate(codes)}
    driver = {"name": "Postilion", "rules": [_rule(code) for code in codes]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(fault, rules[fault.code], folder) for fault in faults],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    known = get_fault_code(code)
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.explanation},
        "help": {"text": known.way_out},
        "defaultConfiguration": {"level": _level(code)},
    }


def _result(fault: Fault, rule_index: int, folder: PurePath) -> dict[str, Any]:
    region = {"startLine": fault.line, "startColumn": fault.column}
    if fault.end_column > fault.column:
        region["endColumn"] = fault.end_column
    uri = quote((folder / fault.file).as_posix())
    place = {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT}, "region": region}
    return {
        "ruleId": fault.code,
        "ruleIndex": rule_index,
        "level": fault.severity.value,
        "message": {"text": ", ".join(filter(None, (fault.message, fault.hint)))},
        "locations": [{"physicalLocation": place}],
    }


def _level(code: str) -> str:
    return (Severity.WARNING if code.startswith("W") else Severity.ERROR).value
