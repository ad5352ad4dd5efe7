"""`postilion events`: what events bring that `workspace.yaml` does not declare, and what it declares as JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from customers.event_departures import Departure

group = typer.Typer(help="Compare the events that come in with those that are declared.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="events")


@group.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List undeclared events and properties, and values of the wrong kind, with what to write to declare them."""
    from customers.event_departures import list_departures

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        departures = list_departures(connection, workspace)
    if as_json:
        print_json(departures)
        return
    if not departures:
        say("Every event that came in is declared.")
        return
    rows = [
        (one.event, one.property or "", _tell(one), one.count, one.last_seen_at.isoformat(timespec="seconds"))
        for one in departures
    ]
    print_table("Not as declared", ["event", "property", "what", "events", "last"], rows)
    snippet = _snippet(departures, set(workspace.events))
    if snippet:
        say("\nTheir values are sealed, and no condition can use them. To declare what is not personal:\n")
        typer.echo(snippet)


@group.command("schema")
def schema(context: typer.Context) -> None:
    """Print the declared events as JSON Schema (draft 2020-12)."""
    from customers.event_schema import event_schema

    with open_workspace(context) as (_runtime, workspace):
        print_json(event_schema(workspace))


def _tell(one: Departure) -> str:
    if one.declared is not None:
        return f"{one.found}, declared as {one.declared.value}"
    return f"undeclared, {one.found}" if one.property else "undeclared"


def _snippet(departures: list[Departure], declared: set[str]) -> str:
    """YAML for `workspace.yaml`; a property whose values are of several kinds is of the commonest one."""
    kinds: dict[str, dict[str, tuple[int, str]]] = {}
    for one in departures:
        properties = kinds.setdefault(one.event, {})
        if one.property and one.declared is None and one.found and one.found != "object":
            best = properties.get(one.property, (0, ""))
            properties[one.property] = max(best, (one.count, one.found))
    lines = ["events:"]
    for event, properties in kinds.items():
        if not properties and event in declared:
            continue
        lines.append(f"  {event}:" if properties else f"  {event}: {{}}")
        if properties:
            lines.append("    properties:")
            lines += [f"      {_key(name)}: {kind}" for name, (_, kind) in properties.items()]
    return "\n".join(lines) if len(lines) > 1 else ""


def _key(name: str) -> str:
    """A key as YAML reads it back."""
    return (
        name
        if name.isidentifier() and name.lower() not in ("yes", "no", "on", "off", "true", "false", "null")
        else ('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"')
    )
