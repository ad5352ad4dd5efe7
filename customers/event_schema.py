"""The declared events as JSON Schema (draft 2020-12), for whoever writes the code that posts them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from customers.workspace import ValueKind, Workspace

_TYPES: Final[Mapping[ValueKind, Mapping[str, Any]]] = {
    ValueKind.TEXT: {"type": ["string", "null"]},
    ValueKind.NUMBER: {"type": ["number", "null"]},
    ValueKind.BOOLEAN: {"type": ["boolean", "null"]},
    ValueKind.DATE: {"type": ["string", "null"], "format": "date"},
    ValueKind.INSTANT: {"type": ["string", "null"], "format": "date-time"},
    ValueKind.LIST: {"type": ["array", "null"]},
}


def event_schema(workspace: Workspace) -> dict[str, Any]:
    """One schema for each declared event under `$defs`, of its properties; what is not declared is allowed."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Events of {workspace.name}",
        "$defs": {
            name: {
                "title": name,
                "type": "object",
                "properties": {key: dict(_TYPES[kind]) for key, kind in spec.properties.items()},
            }
            for name, spec in sorted(workspace.events.items())
        },
    }
