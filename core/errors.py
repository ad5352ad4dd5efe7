"""The few kinds of error that Postilion raises on purpose, and the located fault that a file can have.

Every message is one clear sentence that ends in the way out. Anything else that escapes is a bug and keeps its
traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a `postilion` command answers to the shell."""

    DONE = 0
    INPUT = 1
    USAGE = 2
    ENVIRONMENT = 3


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in a file that a person wrote.

    Lines and columns count from 1; `end_column` is the column after the last character. `file` is relative to the
    project folder where there is one. Codes are listed in `core/fault_codes.py`; a code that begins with W warns.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    end_column: int = 0

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.code.startswith("W") else Severity.ERROR

    def as_dict(self) -> dict[str, object]:
        return asdict(self) | {"severity": self.severity.value}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}" + (
            f", {self.hint}" if self.hint else ""
        )


class PostilionError(Exception):
    """The root of the errors that are told to a person without a traceback."""

    exit_code = ExitCode.INPUT


class ConfigError(PostilionError):
    """One or more files of the project are wrong; carries every fault, sorted."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(map(str, self.faults)))


class InputError(PostilionError):
    """A value or a file that a person handed over cannot be used."""


class NotFoundError(PostilionError):
    """Something was asked for by name and is not there."""


class ConflictError(PostilionError):
    """What was asked contradicts what already stands."""


class EnvironmentFaultError(PostilionError):
    """The machine lacks something: a key, a port, a permission, a database, disk space."""

    exit_code = ExitCode.ENVIRONMENT


class TransientError(PostilionError):
    """It failed this time and may work the next time; nothing was accepted."""


class PermanentError(PostilionError):
    """It failed and will fail again however often it is tried."""


def has_errors(faults: Iterable[Fault]) -> bool:
    return any(fault.severity is Severity.ERROR for fault in faults)


def display_path(path: Path, folder: Path) -> str:
    """`path` as a person would name it from `folder`."""
    try:
        return str(path.resolve().relative_to(folder.resolve()))
    except ValueError:
        return str(path)
