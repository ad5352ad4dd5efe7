"""What a template brings along beside its text: the partials that it includes, and where its assets are published.

All of it is part of a published version, so that a message rendered a month later looks as it was reviewed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.template_includes import find_included

_ASSET = re.compile(r"\basset\(\s*(?P<quote>[\"'])(?P<name>[^\"'\n]*)(?P=quote)")


@dataclass(frozen=True, slots=True)
class Enclosures:
    """`partials` are texts by their path below `templates/`; `assets` are places below the address of all assets
    (`<hash>/<name>`) by their path below `assets/`.
    """

    partials: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)

    def used_by(self, text: str) -> Enclosures:
        """Those that `text` needs, itself or by its partials."""
        partials = find_included(text, self.partials)
        names = {match["name"] for one in (text, *partials.values()) for match in _ASSET.finditer(one)}
        assets = {name: self.assets[name] for name in sorted(names) if name in self.assets}
        return Enclosures(dict(sorted(partials.items())), assets)

    def as_document(self) -> dict[str, dict[str, str]]:
        """For the published document of a template; what is empty is left out."""
        enclosed = {"partials": dict(self.partials), "assets": dict(self.assets)}
        return {name: entries for name, entries in enclosed.items() if entries}


NO_ENCLOSURES = Enclosures()


def enclosures_of(document: Mapping[str, Any]) -> Enclosures:
    """The enclosures in the published document of a template."""
    return Enclosures(document.get("partials", {}), document.get("assets", {}))
