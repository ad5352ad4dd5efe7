"""`postilion insights`: learn what customers will do, and read it of one of them or of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say
from core.errors import NotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from insights.model_card import ModelCard
    from insights.portrait import Portrait

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_OFFERED = 3


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="insights", help="Learn what customers will do, and read it of one or of all.")


@commands.command("renew")
def renew(
    context: typer.Context,
    margin: Annotated[
        float | None, typer.Option(help="The share of revenue that remains after costs, such as 0.4. Kept for later.")
    ] = None,
    discount: Annotated[
        float | None, typer.Option(help="By how much a year off is worth less, such as 0.1. Kept for later.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn from all purchases, check it against days held out, and keep a score a person; as happens every night."""
    from insights.card_page import VERDICTS, check_lines, data_lines
    from insights.renew import choose_worth, renew_insights

    with open_workspace(context) as (runtime, _workspace):
        with runtime.database.read() as connection:
            worth = choose_worth(connection, margin, discount)
        card = renew_insights(runtime, worth)
    if as_json:
        print_json(card)
        return
    say(f"[bold]{VERDICTS[card.state]}[/]")
    for line in (*card.reasons, *data_lines(card), *check_lines(card.holdout)):
        say(f"  {line}")
    if card.lead is not None:
        say(f"  people who never bought: {card.lead.reason}")
    if card.scores:
        rows = [(score.name, score.words, score.count, score.mean) for score in card.scores]
        print_table("Scores kept", ["score", "what it says", "people", "mean"], rows)


@commands.command("card")
def show_card(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the model card of the last run: data, parameters, how it did on days it had not seen, and its limits."""
    from insights.card_page import as_markdown

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        card = _get_card(connection)
    if as_json:
        print_json(card)
    else:
        typer.echo(as_markdown(card), nl=False)


@commands.command("profile")
def profile(
    context: typer.Context,
    who: Annotated[str, typer.Argument(help="An external id, e-mail address, telephone number, or #PROFILE.")],
    as_json: AsJson = False,
) -> None:
    """Say of one customer what is expected of them and why: churn, next purchase, value, what they need and like."""
    from console.people import get_profile_id
    from insights.portrait import portray

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        profile_id = get_profile_id(connection, runtime.vault, workspace, who)
        now = runtime.clock.now()
        portrait = portray(connection, workspace, profile_id, now)
        offers = _what_to_offer(connection, portrait, now)
    if as_json:
        print_json({"portrait": portrait, "offers": offers})
        return
    _print(portrait, offers)


@commands.command("report")
def report(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The file to write.", metavar="FILE.html")] = Path("insights.html"),
    as_json: AsJson = False,
) -> None:
    """Write one HTML page with what the last run found: groups, churn and how sure it is, value, newcomers."""
    from insights.report import render_report

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        card = _get_card(connection)
    if as_json:
        print_json(card)
        return
    out.write_text(render_report(card), encoding="utf-8")
    say(f"[green]✓[/] {out}")


def _get_card(connection: Connection) -> ModelCard:
    from insights.model_card import find_card

    card = find_card(connection)
    if card is None:
        raise NotFoundError("nothing was learned yet: import orders and run `postilion insights renew`.")
    return card


def _what_to_offer(connection: Connection, portrait: Portrait, now: datetime) -> list[dict[str, Any]]:
    """What goes with what they bought last, and they do not have; nothing to whom nothing may be reckoned."""
    from recommender.history import load_histories
    from recommender.offer_definition import Offer
    from recommender.offers import propose_to_nobody, show_decision

    if any(one.topic == "standing" for one in portrait.statements):
        return []
    history = load_histories(connection, [portrait.profile_id], now)[portrait.profile_id]
    proposed = propose_to_nobody(connection, Offer("insights"), history.last_bought(10), surface="email", now=now)
    items = [item for item in show_decision(connection, proposed).items if item.sku not in history.bought]
    return [{"sku": item.sku, "name": item.name, "reason": item.reason} for item in items[:_OFFERED]]


def _print(portrait: Portrait, offers: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    learned = f", learned on {portrait.learned_at:%-d %B %Y}" if portrait.learned_at else ""
    say(f"\n[bold]Profile {portrait.profile_id}[/]  [dim]as of {portrait.as_of:%-d %B %Y}{learned}[/]")
    for one in portrait.statements:
        say(f"  [dim]{one.topic:<14}[/] {escape(one.sentence)}")
    for offer in offers:
        say(f"  [dim]{'offer':<14}[/] {escape(offer['name'])}: {escape(offer['reason'])}")
