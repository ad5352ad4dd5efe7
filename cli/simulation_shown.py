"""A simulation on the terminal: what is sent and what it costs, the way through the steps, losses and load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cli.output import print_table, say

_BAR = 24
_MOST_DAYS = 31
_BLOCKS = " ▁▂▃▄▅▆▇█"


def show(document: Mapping[str, Any]) -> None:
    from rich.markup import escape

    entries, start, end = document["entries"], document["from"][:10], document["to"][:10]
    say(f"\n[bold]{escape(document['journey'])}[/]  [dim]version {document['version']} · {start} to {end}[/]")
    say(f"{document['people']:,} people, {escape(document['fed'])}\n")
    say(f"[bold]{entries['entered']:,}[/] entered" + _more(entries))
    if document["goal"]:
        _show_goal(document["goal"], entries)
    ended = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in document["ended"].items())
    say(f"{document['inside']:,} are still inside at the end{f'; ended: {escape(ended)}' if ended else ''}\n")
    for channel, one in document["messages"].items():
        _show_channel(channel, one)
    _show_tree(document["steps"])
    _show_losses(document)
    for line in document.get("timeline", ()):
        say(f"  {escape(line)}")
    say("")
    for note in document["notes"]:
        say(f"[dim]· {escape(note)}[/]")


def _more(entries: Mapping[str, Any]) -> str:
    held_out = f", {entries['held_out']:,} held out" if entries["held_out"] else ""
    refused = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in entries["refused"].items())
    return held_out + (f" [dim](refused: {refused})[/]" if refused else "")


def _show_goal(goal: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    share = goal["reached"] / entries["entered"] if entries["entered"] else 0.0
    against = ""
    if entries["held_out"]:
        against = f", of the held out {goal['reached_held_out'] / entries['held_out']:.1%}"
    worth = f", worth {goal['value']:,}" if goal["value"] else ""
    say(f"[bold]{goal['reached']:,}[/] reached the goal ({share:.1%}{against}){worth}")


def _show_channel(channel: str, one: Mapping[str, Any]) -> None:
    cost, load = one["cost"], one["load"]
    price = f"{cost['amount']} {cost['currency']} [dim]({cost['by']})[/]" if cost else "[dim]price unknown[/]"
    say(f"[bold]{channel}[/]  {one['sent']:,} sent, {price}")
    say(f"  {_sparkline(list(one['per_day'].values()))}  [dim]{_days(one['per_day'])}[/]")
    busiest = f"busiest day {load['busiest_day']}: {load['busiest_day_count']:,}; busiest minute"
    say(f"  {busiest} {load['busiest_minute'][:16].replace('T', ' ')}: {load['busiest_minute_count']:,}{_late(load)}\n")


def _late(load: Mapping[str, Any]) -> str:
    rate, late = load["account_per_second"], load["latest_by_seconds"]
    if rate is None:
        return ""
    if late <= 60:
        return f" [green]✓[/] [dim]within {rate:g} a second[/]"
    return f" [yellow]![/] at {rate:g} a second the last goes out {_length(late)} late"


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _sparkline(counts: Sequence[int]) -> str:
    """One block a day; of many days each block is the busiest of several."""
    size = -(-len(counts) // (2 * _MOST_DAYS))
    groups = [max(counts[place : place + size]) for place in range(0, len(counts), size)]
    most = max(groups)
    return "".join(_BLOCKS[-(-count * (len(_BLOCKS) - 1) // most)] for count in groups)


def _days(per_day: Mapping[str, int]) -> str:
    days = [datetime.fromisoformat(day) for day in per_day]
    return f"{days[0]:%d %b} to {days[-1]:%d %b}, {len(days)} days with messages"


def _show_tree(steps: Sequence[Mapping[str, Any]]) -> None:
    from rich.markup import escape

    most = max((step["reached"] for step in steps), default=0) or 1
    say("[bold]Steps[/]")
    for lead, step in _lines(steps, "  "):
        filled = round(step["reached"] / most * _BAR)
        bar = f"[green]{'━' * filled}[/]{' ' * (_BAR - filled)}"
        name = f"{lead}{step['id'] or ''}{' ' if step['id'] else ''}"
        width = max(0, 34 - len(name) - len(step["verb"]))
        say(f"{escape(name)}[dim]{step['verb']}[/]{' ' * width} {bar} {step['reached']:>9,}  {escape(_what(step))}")
    say("")


def _lines(steps: Sequence[Mapping[str, Any]], lead: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step in steps:
        yield lead, step
        for name, block in step["blocks"].items():
            for inner, one in _lines(block, f"{lead}  "):
                yield (f"{lead}  {name} → " if inner == f"{lead}  " and one is block[0] else inner), one


def _what(step: Mapping[str, Any]) -> str:
    parts = [f"{name} {count:,}" for name, count in sorted(step["ways"].items())]
    if step["offered"]:
        parts += [f"{name} offered {count:,}" for name, count in step["offered"].items() if count]
    parts += [f"left ({reason.replace('_', ' ')}) {count:,}" for reason, count in step["left"].items()]
    parts += [f"failed {step['errors']:,} times"] if step["errors"] else []
    parts += [f"{step['standing']:,} stand here"] if step["standing"] else []
    return ", ".join(parts)


def _show_losses(document: Mapping[str, Any]) -> None:
    sent = sum(one["sent"] for one in document["messages"].values())
    rows = [(reason.replace("_", " "), "not sent", count) for reason, count in document["losses"].items()]
    rows += [(reason.replace("_", " "), "held back for a while", count) for reason, count in document["held"].items()]
    rows += [
        (reason.replace("_", " "), "cancelled by leaving", count) for reason, count in document["cancelled"].items()
    ]
    if rows:
        print_table(f"Beside {sent:,} messages sent", ["because of", "what", "messages"], rows)
