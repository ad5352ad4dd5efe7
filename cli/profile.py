"""`postilion profile`: everything known of one customer, for whoever answers the telephone."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from console.timeline.read import TimelinePage
    from console.timeline.summary import Summary
    from customers.workspace import Workspace

_STYLES = {"good": "green", "bad": "red", "quiet": "dim", "plain": "bold"}
_MARKS = {"good": "[green]●[/]", "bad": "[red]●[/]", "quiet": "[dim]○[/]", "plain": "●"}


def register(app: typer.Typer) -> None:
    app.command("profile")(profile)


def profile(
    context: typer.Context,
    who: Annotated[str, typer.Argument(help="An external id, e-mail address, telephone number, or #PROFILE.")],
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many entries of the timeline.")] = 30,
    group: Annotated[str | None, typer.Option(help="Only entries of this group, such as orders or messages.")] = None,
    after: Annotated[str | None, typer.Option(help="Go on from here: `next` of the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer: addresses, consents, orders, and everything that happened, newest first."""
    from console.people import get_profile_id
    from console.timeline.document import profile_document, timeline_document
    from console.timeline.entries import parse_group, parse_place
    from console.timeline.read import read_timeline
    from console.timeline.summary import summarise

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        vault = runtime.vault
        profile_id = get_profile_id(connection, vault, workspace, who)
        summary = summarise(connection, vault, workspace, profile_id, runtime.clock.now())
        page = read_timeline(
            connection,
            vault,
            profile_id,
            after=parse_place(after) if after else None,
            limit=limit,
            group=parse_group(group) if group else None,
        )
        if as_json:
            print_json({"profile": profile_document(summary), "timeline": timeline_document(page, workspace)})
            return
        _print(summary, page, workspace)


def _print(summary: Summary, page: TimelinePage, workspace: Workspace) -> None:
    from rich.markup import escape

    from campaigns.reporting.wording import money
    from console.profile_pages import banner

    say(f"\n[bold]{escape(summary.name)}[/]  [dim]profile {summary.id}, {summary.status}[/]")
    if text := banner(summary):
        say(f"[red]{text}[/]")
    for one in summary.identifiers:
        stopped = f"  [red]nothing is sent: {one.suppressed}[/]" if one.suppressed else ""
        say(f"  [dim]{one.kind.replace('_', ' '):<12}[/] {escape(one.value)}{stopped}")
    for account in summary.accounts:
        say(f"  [dim]{'account':<12}[/] {escape(account.name)}{f', {account.role}' if account.role else ''}")
    for orders in summary.orders:
        say(f"  [dim]{'orders':<12}[/] {orders.count:,}, {money(orders.total, orders.currency)} less returns")
    for consent in summary.consents:
        since = f"  [dim]{consent.since:%-d %b %Y}, {escape(consent.source or '')}[/]" if consent.since else ""
        say(f"  [dim]{consent.channel:<12}[/] {escape(consent.topic_name)}: {consent.status}{since}")
    if summary.segments:
        say(f"  [dim]{'segments':<12}[/] {', '.join(summary.segments)}")
    for passage in summary.journeys:
        say(f"  [dim]{'journey':<12}[/] {passage.journey}{f' at {passage.step}' if passage.step else ''}")
    for task in summary.tasks:
        say(f"  [dim]{'open task':<12}[/] {escape(task.title)}")
    _print_timeline(page, workspace)


def _print_timeline(page: TimelinePage, workspace: Workspace) -> None:
    from rich.markup import escape

    from console.timeline.wording import word

    zone = ZoneInfo(workspace.timezone)
    for day, entries in groupby(page.entries, key=lambda entry: entry.at.astimezone(zone).date()):
        say(f"\n[dim]{day:%-d %B %Y}[/]")
        for entry in entries:
            line = word(entry, page.names, workspace)
            remark = f"  [dim]{escape(line.remark)}[/]" if line.remark else ""
            title = f"[{_STYLES[line.tone]}]{escape(line.title)}[/]"
            say(f"  [dim]{entry.at.astimezone(zone):%H:%M}[/] {_MARKS[line.tone]} {title}{remark}")
    if not page.entries:
        say("\nNothing is on record.")
    if page.next:
        say(f"\nEarlier entries: --after {page.next}")
