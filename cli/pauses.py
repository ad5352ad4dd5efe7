"""`postilion pauses`: what is stopped for now and why, and letting it go on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say
from core.errors import NotFoundError

if TYPE_CHECKING:
    from delivery.alarms import Alarm
    from delivery.pauses import Pause


def register(app: typer.Typer) -> None:
    app.command("pauses")(pauses)


def pauses(
    context: typer.Context,
    resume: Annotated[str | None, typer.Option(help="Let this scope go on.", metavar="SCOPE")] = None,
    stop: Annotated[
        str | None, typer.Option(help="Stop this scope, such as channel:sms or campaign:spring.", metavar="SCOPE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is paused, why and since when, and what to look at. A person lets it go on."""
    from delivery.alarms import list_alarms
    from delivery.feedback_rates import forget_feedback
    from delivery.pauses import BY_HAND, check_scope, list_pauses, pause
    from delivery.pauses import resume as let_go_on

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        if resume is not None:
            if not let_go_on(connection, resume):
                raise NotFoundError(f"{resume!r} is not paused: see `postilion pauses`.")
            forget_feedback(connection, resume)
        if stop is not None:
            pause(connection, check_scope(stop), BY_HAND, now)
        paused, alarms = list_pauses(connection, now), list_alarms(connection)
    if as_json:
        print_json({"paused": [_as_dict(one) for one in paused], "alarms": [_alarm_as_dict(one) for one in alarms]})
        return
    if paused:
        stopped = [(one.scope, one.cause, _instant(one.since), _way_out(one)) for one in paused]
        print_table("Paused", ["what", "why", "since", "goes on"], stopped)
    else:
        say("Nothing is paused.")
    if alarms:
        rows = [(one.name, one.cause, _instant(one.since)) for one in alarms]
        print_table("To look at", ["what", "why", "since"], rows)


def _way_out(one: Pause) -> str:
    return f"by itself, {_instant(one.until)}" if one.until is not None else one.command


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _as_dict(one: Pause) -> dict[str, Any]:
    until = one.until.isoformat() if one.until else None
    return {"scope": one.scope, "cause": one.cause, "since": one.since.isoformat(), "until": until}


def _alarm_as_dict(one: Alarm) -> dict[str, str]:
    return {"name": one.name, "cause": one.cause, "since": one.since.isoformat()}
