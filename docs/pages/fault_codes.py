"""`fault-codes.md`: every code that `postilion check` may print, from `core.fault_codes`."""

from __future__ import annotations

from core.fault_codes import FAULT_CODES, FaultCode
from docs.pages.markdown import page, table


def render() -> str:
    return page(
        "Fault codes",
        "`core/fault_codes.py`",
        "`postilion check` prints one line a fault: file, line, column, code, what is wrong, and often the nearest "
        "known word. A code that begins with **E** stops `apply`; one that begins with **W** warns and stops nothing. "
        "With `--json` each fault is an object with `file`, `line`, `column`, `end_column`, `code`, `message`, `hint` "
        "and `severity`.",
        table(["code", "title"], [(f"[{code}](#{code.lower()})", known.title) for code, known in FAULT_CODES.items()]),
        *(_section(code, known) for code, known in FAULT_CODES.items()),
    )


def _section(code: str, known: FaultCode) -> str:
    return f"## {code}\n\n**{known.title}.** {known.explanation}\n\n*Way out:* {known.way_out}"
