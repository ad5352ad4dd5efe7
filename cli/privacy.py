"""`postilion privacy`: what people may ask for under the law, each request with its deadline and its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import is_terminal, open_workspace, parse_instant
from cli.output import AsJson, print_json, print_table, say
from core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.runtime import Runtime
    from customers.rights import Request
    from customers.workspace import Workspace

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Person = Annotated[
    str, typer.Argument(help="External id, e-mail address, phone number, or our number as #12.", metavar="PROFILE")
]
By = Annotated[str, typer.Option("--by", help="Who asked, or who does it: it stands in the record.", metavar="NAME")]
Lift = Annotated[bool, typer.Option("--lift", help="Take it back.")]

_AT_THE_COMMAND_LINE = "command line"


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="privacy", help="What people may ask for: a copy, a correction, to be forgotten.")


@commands.command("export")
def export(
    context: typer.Context,
    profile: Person,
    by: By = _AT_THE_COMMAND_LINE,
    send: Annotated[bool, typer.Option("--send", help="Send the link to the person's own e-mail address.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a copy of everything that is known about a person, and make a link that hands it out once."""
    from console.rights.export import export_profile, mail_link

    with open_workspace(context) as (runtime, workspace):
        number = _find(runtime, workspace, profile)
        done = export_profile(runtime, workspace, number, requested_by=by, now=runtime.clock.now())
        if send:
            mail_link(runtime, workspace, done)
    if as_json:
        document = {"file": str(done.file), "url": done.url, "expires_at": done.expires_at, "rows": done.rows}
        print_json({**_document(done.request), **document})
        return
    say(f"[bold]{sum(done.rows.values()):,}[/] rows of {len(done.rows)} tables are in {done.file}")
    if send:
        say(f"A mail with the link is on its way; it works once, until {done.expires_at:%H:%M} UTC.")
    else:
        say(f"The link works once, until {done.expires_at:%H:%M} UTC: send it to the person's own address.\n{done.url}")
    say("The file is deleted after 7 days.")


@commands.command("rectify")
def rectify(
    context: typer.Context,
    profile: Person,
    values: Annotated[
        list[str] | None, typer.Argument(help="Attributes; nothing after = takes one away.", metavar="NAME=VALUE")
    ] = None,
    email: Annotated[str | None, typer.Option(help="The address in place of those that are known.")] = None,
    phone: Annotated[str | None, typer.Option(help="The number in place of those that are known.")] = None,
    by: By = _AT_THE_COMMAND_LINE,
    as_json: AsJson = False,
) -> None:
    """Put right what is wrong about a person."""
    from console.rights.rectification import rectify as put_right
    from customers.tables import IdentityKind

    given = {IdentityKind.EMAIL: email, IdentityKind.PHONE: phone}
    addresses = {kind: value for kind, value in given.items() if value is not None}
    with open_workspace(context) as (runtime, workspace):
        done = put_right(
            runtime,
            workspace,
            _find(runtime, workspace, profile),
            _pairs(values or ()),
            addresses=addresses,
            requested_by=by,
            now=runtime.clock.now(),
        )
    if as_json:
        print_json({**_document(done.request), "changed": done.changed})
        return
    say(f"Changed: {', '.join(done.changed)}." if done.changed else "Everything stood like that already.")
    for kind in done.replaced:
        say(f"What was agreed to for the old {kind} does not hold for the new one: ask for consent again.")


@commands.command("restrict")
def restrict(
    context: typer.Context,
    profile: Person,
    lift: Lift = False,
    by: By = _AT_THE_COMMAND_LINE,
    as_json: AsJson = False,
) -> None:
    """Keep a person's data and use it for nothing: no message, no offer, no segment, no step of a journey."""
    from console.rights import restriction

    _carry_out(context, profile, restriction.lift_restriction if lift else restriction.restrict, by, as_json)


@commands.command("object")
def object_(
    context: typer.Context,
    profile: Person,
    lift: Lift = False,
    by: By = _AT_THE_COMMAND_LINE,
    as_json: AsJson = False,
) -> None:
    """Take a person out of marketing, scores, segments and recommendations; messages about orders go on."""
    from console.rights import restriction

    _carry_out(context, profile, restriction.lift_objection if lift else restriction.record_objection, by, as_json)


@commands.command("erase")
def erase(
    context: typer.Context,
    profile: Person,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: By = _AT_THE_COMMAND_LINE,
    as_json: AsJson = False,
) -> None:
    """Erase a person for good. It cannot be undone, not even from a backup."""
    from console.rights.erasure import erase_profile, measure

    with open_workspace(context) as (runtime, workspace):
        number = _find(runtime, workspace, profile)
        with runtime.database.read() as connection:
            extent = measure(connection, number)
        if not yes:
            _ask(f"Profile #{extent.profile_ids[0]}", len(extent.profile_ids), extent.identifier_count)
        request = erase_profile(runtime, number, requested_by=by, now=runtime.clock.now())
    if as_json:
        print_json(_document(request))
        return
    rows: dict[str, int] = request.proof["rows"]
    print_table(f"Profile #{request.profile_id} is erased", ["table", "rows"], sorted(rows.items()))
    say("Orders and counts stay true without the person. New events for the same address are nobody's.")
    _tell_proof(request)


@commands.command("readmit")
def readmit(
    context: typer.Context,
    identifiers: Annotated[
        list[str], typer.Argument(help="The address, and what else names the same person.", metavar="ADDRESS")
    ],
    source: Annotated[str, typer.Option(help="Where and when they opted in, such as 'form 2026-07-01'.")],
    topic: Annotated[list[str], typer.Option(help="What they opted in to; may be repeated.")],
    as_json: AsJson = False,
) -> None:
    """Let somebody back in who was erased and has opted in afresh; what was erased does not come back."""
    from console.rights.readmission import readmit as let_in

    with open_workspace(context) as (runtime, workspace):
        done = let_in(runtime, workspace, identifiers, topic, source=source, now=runtime.clock.now())
    if as_json:
        print_json(done)
        return
    say(
        f"Welcome back: profile #{done.profile_id} begins afresh, and may be written to about {', '.join(done.topics)}."
    )


@commands.command("requests")
def requests(
    context: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that wait to be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what was asked for, with the law's deadline; an exclamation mark stands before what is overdue."""
    from customers.rights import RequestStatus, list_requests

    with open_workspace(context) as (runtime, _workspace):
        now = runtime.clock.now()
        with runtime.database.read() as connection:
            found = list_requests(connection, status=RequestStatus.OPEN if only_open else None)
    if as_json:
        print_json([_document(one) for one in found])
    elif found:
        print_table(
            "Requests",
            ["", "no", "what", "profile", "status", "due", "asked by"],
            [
                (
                    "!" if one.is_overdue(now) else "",
                    one.id,
                    one.kind.value,
                    f"#{one.profile_id}",
                    one.status.value,
                    f"{one.due_at:%Y-%m-%d}",
                    one.requested_by,
                )
                for one in found
            ],
        )
    else:
        say("Nothing waits to be done." if only_open else "Nobody has asked for anything.")


@commands.command("receive")
def receive(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="export, rectify, restrict, unrestrict, object, unobject or erase.")],
    profile: Person,
    at: Annotated[str | None, typer.Option(help="When it arrived. Default: now.", metavar="INSTANT")] = None,
    by: Annotated[str, typer.Option("--by", help="How it arrived, such as 'letter'.", metavar="NAME")] = "letter",
    as_json: AsJson = False,
) -> None:
    """Write down a request that is to be done later; the law gives one month from its arrival."""
    from zoneinfo import ZoneInfo

    from customers.rights import receive as write_down

    right = _right(kind)
    with open_workspace(context) as (runtime, workspace):
        number, now = _find(runtime, workspace, profile), runtime.clock.now()
        arrived_at = parse_instant(at) if at else now
        if arrived_at > now:
            raise InputError("a request cannot have arrived in the future: see --at.")
        with runtime.database.transaction() as connection:
            request = write_down(
                connection, number, right, requested_by=by, at=arrived_at, zone=ZoneInfo(workspace.timezone)
            )
    if as_json:
        print_json(_document(request))
        return
    say(f"Request {request.id}: {request.kind} for profile #{number}, due by [bold]{request.due_at:%Y-%m-%d}[/].")


@commands.command("refuse")
def refuse(
    context: typer.Context,
    request: Annotated[int, typer.Argument(help="The request's number.", metavar="ID")],
    because: Annotated[str, typer.Option(help="The reason, as it is told to the person.")],
    by: By = _AT_THE_COMMAND_LINE,
    as_json: AsJson = False,
) -> None:
    """Close an open request without doing it; the person has to be told why, within the same month."""
    from customers.rights import refuse as close

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        done = close(connection, request, because=because, refused_by=by, now=runtime.clock.now())
    if as_json:
        print_json(_document(done))
        return
    say(f"Request {done.id} is refused. Tell the person why, and that they may complain to the authority.")


def _carry_out(context: typer.Context, profile: str, verb: Callable[..., Request], by: str, as_json: bool) -> None:
    with open_workspace(context) as (runtime, workspace):
        number = _find(runtime, workspace, profile)
        request = verb(runtime, workspace, number, requested_by=by, now=runtime.clock.now())
    if as_json:
        print_json(_document(request))
        return
    say(_SAID[request.kind.value].format(number=request.profile_id, **request.proof))
    _tell_proof(request)


_SAID = {
    "restrict": "Profile #{number} is restricted: it left {segments_left} segments, stands still in every journey, "
    "and gets nothing ({messages_waiting} messages that wait will be dropped).",
    "unrestrict": "Profile #{number} may be used again; {journeys_moved} journeys went on.",
    "object": "Profile #{number} is out of marketing: it left {segments_left} segments. Messages about orders go on.",
    "unobject": "Profile #{number} is back in marketing, as far as its consents reach.",
}


def _find(runtime: Runtime, workspace: Workspace, typed: str) -> int:
    from console.people import get_profile_id

    with runtime.database.read() as connection:
        return get_profile_id(connection, runtime.vault, workspace, typed)


def _pairs(words: list[str] | tuple[str, ...]) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise InputError(f"{word!r} is not NAME=VALUE: write first_name=Ann, or first_name= to take it away.")
        pairs[name] = value or None
    return pairs


def _right(word: str) -> Any:
    from core.suggest import did_you_mean
    from customers.rights import Right

    try:
        return Right(word)
    except ValueError:
        known = [right.value for right in Right]
        raise InputError(
            f"{word!r} is nothing that can be asked for: {did_you_mean(word, known) or 'write ' + ', '.join(known)}."
        ) from None


def _ask(who: str, profile_count: int, identifier_count: int) -> None:
    """Show what goes, and let a person decide."""
    merged = f" (with {profile_count - 1} merged into it)" if profile_count > 1 else ""
    if not is_terminal():
        raise InputError(f"{who}{merged} would be erased for good: add --yes where nobody can be asked.")
    say(f"[bold]{who}[/]{merged} and its {identifier_count} identifiers go for good, from every backup as well.")
    typer.confirm("Erase?", abort=True, err=True)


def _tell_proof(request: Request) -> None:
    say(f"[dim]Request {request.id}, done {request.done_at:%Y-%m-%d %H:%M} UTC: see `postilion privacy requests`.[/]")


def _document(request: Request) -> dict[str, Any]:
    def text(instant: datetime | None) -> str | None:
        return instant.isoformat() if instant is not None else None

    return {
        "id": request.id,
        "kind": request.kind.value,
        "profile_id": request.profile_id,
        "status": request.status.value,
        "requested_by": request.requested_by,
        "requested_at": text(request.requested_at),
        "due_at": text(request.due_at),
        "done_at": text(request.done_at),
        "proof": request.proof,
    }
