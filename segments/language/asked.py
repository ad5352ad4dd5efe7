"""What a segment asks, as one hash: it tells whether a membership was made by the rule that is published now.

Nested segments are part of it, and so is what the workspace says about attributes and clocks. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.ids import content_hash
from customers.workspace import Workspace
from segments.language.nesting import inline
from segments.language.rules import Rule


def asked_of(rule: Rule, segments: Mapping[str, Rule], workspace: Workspace) -> str:
    """64 hexadecimal digits. Raises NotFoundError for an unknown segment, ConflictError for a circle."""
    attributes = sorted((name, spec.kind.value, spec.is_personal) for name, spec in workspace.attributes.items())
    said = (workspace.timezone, workspace.country, attributes)
    return content_hash(f"{inline(rule, segments)!r}\n{said!r}")
