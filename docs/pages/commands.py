"""`commands.md`: every command of `postilion` with its arguments and options, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from cli.main import app
from docs.pages.markdown import code, page, table

_EVERYWHERE = frozenset({"--help", "--install-completion", "--show-completion"})


def render() -> str:
    root: Any = typer.main.get_command(app)
    listed = list(iter_commands(root, ()))
    return page(
        "Commands",
        "`cli/`",
        "`postilion COMMAND --help` says the same. Exit codes: **0** done, **1** the input is wrong, **2** the command "
        "was not understood, **3** the machine lacks something (a key, a port, a database, disk space). With `--json` "
        "a command prints one JSON document on standard output.",
        table(
            ["command", ""],
            [(f"[{name}](#{_anchor(name)})", _help(one).partition(". ")[0].rstrip(".")) for name, one in listed],
        ),
        "## Options before the command",
        _parameters(root),
        *(_section(name, command) for name, command in listed),
    )


def iter_commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """(`postilion segments refresh`, command) of every command that does something, groups left out."""
    if not hasattr(command, "commands"):
        yield " ".join(("postilion", *path)), command
        return
    for name, child in command.commands.items():
        yield from iter_commands(child, (*path, name))


def options_of(command: Any) -> frozenset[str]:
    """Every way to write an option of `command`."""
    return frozenset(
        word for one in command.params if one.param_type_name == "option" for word in (*one.opts, *one.secondary_opts)
    ) | {"--help", "-h"}


def _section(name: str, command: Any) -> str:
    arguments = [_argument(one) for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, *arguments, *(["[OPTIONS]"] if _options(command) else [])])
    return "\n\n".join([f"## {name}", f"```\n{usage}\n```", _help(command), _parameters(command)]).strip()


def _parameters(command: Any) -> str:
    rows = [
        (code(_argument(one).strip("[]")), "required" if one.required else _default(one), _text(one))
        for one in command.params
        if one.param_type_name == "argument"
    ]
    rows += [
        (code(", ".join((*one.opts, *one.secondary_opts))), _default(one), _text(one)) for one in _options(command)
    ]
    return table(["", "default", "meaning"], rows) if rows else ""


def _options(command: Any) -> list[Any]:
    found = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    return [one for one in found if not _EVERYWHERE.intersection(one.opts)]


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper().strip("[]")
    name += "..." if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _default(parameter: Any) -> str:
    default, shown = parameter.default, getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    if getattr(parameter, "is_flag", False) or default is None or callable(default):
        return "–"
    return code(str(default.value if isinstance(default, Enum) else default))


def _text(parameter: Any) -> str:
    return (parameter.help or "").strip()


def _help(command: Any) -> str:
    return " ".join((command.help or "").split())


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
