"""What the YAML parser says, in the words of somebody who writes campaigns.

Only the parser's own problems; faults of meaning are worded where they are found.
"""

from __future__ import annotations

_PROBLEMS = (
    (
        "mapping values are not allowed here",
        "a colon stands where no key can begin",
        "put a text that holds ': ' in quotes, or check the indentation",
    ),
    ("found unexpected end of stream", "a quote is opened and never closed", "close it"),
    ("could not find expected ':'", "a key has no colon", "write 'key: value'"),
    ("expected ',' or ']'", "a list in brackets is not closed, or lacks a comma", "write [a, b, c]"),
    ("expected ',' or '}'", "a mapping in braces is not closed, or lacks a comma", "write {a: 1, b: 2}"),
    (
        "expected <block end>",
        "this line does not fit the indentation above it",
        "line it up with the keys or the dashes that it belongs to",
    ),
    ("cannot start any token", "a plain text cannot begin with this character", "put the text in quotes"),
    ("sequence entries are not allowed here", "a dash stands where no list can begin", "put it on its own line"),
    ("found unknown escape character", "a text in double quotes has an unknown escape", "use single quotes"),
    ("expected '<document start>'", "this cannot stand where a key should begin", "write 'key: value'"),
    ("found undefined alias", "an alias stands for nothing", "define it further up"),
)


def is_left_open(problem: str) -> bool:
    """Whether the file ended before something was closed: then the place to look at is where it was opened."""
    return "end of stream" in problem or "<stream end>" in problem


def plain_problem(problem: str) -> tuple[str, str]:
    """(what is wrong, what to do) for a problem that the parser reports; an unknown one is passed on as it is."""
    for part, message, hint in _PROBLEMS:
        if part in problem:
            return message, hint
    return problem.replace("\n", " "), "check this line and the one above it"
