"""What an enrolment holds of what its person did (`entry.*`, the steps' results): opened when somebody looks at it.

Most steps forward look at neither. Whoever looks first has the keys of the whole batch fetched, in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from core.errors import NotFoundError
from core.vault import Vault

SEALED = "enrolment.sealed_state"
Opened = Mapping[str, Mapping[str, Any]]
_NOTHING: Opened = {}


class Lazy(Mapping[str, Any]):
    """A mapping that is read from its source when it is looked into."""

    __slots__ = ("_found", "_load")

    def __init__(self, load: Callable[[], Mapping[str, Any]]) -> None:
        self._load = load
        self._found: Mapping[str, Any] | None = None

    @property
    def read(self) -> Mapping[str, Any]:
        if self._found is None:
            self._found = self._load()
        return self._found

    def __getitem__(self, name: str) -> Any:
        return self.read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.read)

    def __len__(self) -> int:
        return len(self.read)


class Draft(MutableMapping[str, Any]):
    """A mapping that may be changed; what it was made from stays as it is, and `final` when nothing was changed."""

    __slots__ = ("_own", "_source")

    def __init__(self, source: Mapping[str, Any]) -> None:
        self._source = source
        self._own: dict[str, Any] | None = None

    @property
    def final(self) -> Mapping[str, Any]:
        return self._source if self._own is None else self._own

    def __getitem__(self, name: str) -> Any:
        return self.final[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if self._own is None:
            self._own = dict(self._source)
        self._own[name] = value

    def __delitem__(self, name: str) -> None:
        if self._own is None:
            self._own = dict(self._source)
        del self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.final)

    def __len__(self) -> int:
        return len(self.final)


class Opener:
    """Opens the sealed states of one batch; `owners` are all whose keys it may take."""

    __slots__ = ("_is_ready", "_owners", "_vault")

    def __init__(self, vault: Vault, owners: Iterable[int]) -> None:
        self._vault = vault
        self._owners = owners
        self._is_ready = False

    def parts(self, owner: int, sealed: bytes) -> tuple[Lazy, Lazy]:
        """`entry` and the steps' results of one enrolment; both empty once its person was erased."""
        opened = Lazy(lambda: self._open(owner, sealed))
        return Lazy(lambda: opened.get("entry", _NOTHING)), Lazy(lambda: opened.get("steps", _NOTHING))

    def _open(self, owner: int, sealed: bytes) -> Mapping[str, Any]:
        if not self._is_ready:
            self._vault.fetch(self._owners)
            self._is_ready = True
        try:
            opened: Mapping[str, Any] = self._vault.open_document(owner, SEALED, sealed)
        except NotFoundError:  # erased
            return _NOTHING
        return opened
