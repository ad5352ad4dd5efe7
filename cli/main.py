"""The entrance: builds the command line, and tells what went wrong in one sentence with the right exit code.

Exit codes: 0 done, 1 the input is wrong, 2 usage, 3 the environment.
"""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from cli import (
    accounts,
    apply,
    backtest,
    backup,
    check,
    consent,
    deliver,
    doctor,
    events,
    explain,
    graph,
    import_,
    init,
    insights,
    journeys,
    keys,
    launch,
    letters,
    lists,
    merges,
    messages,
    pauses,
    plan,
    preview,
    privacy,
    profile,
    quarantine,
    recommend,
    report,
    retention,
    sandbox,
    secrets_shown,
    segments,
    send_test,
    setup,
    simulate,
    snippet,
    tasks,
    test,
    up,
    webhooks,
    why_not,
    widget,
    write_keys,
)
from cli.context import Options
from core.errors import ConfigError, ExitCode, PostilionError

app = typer.Typer(
    name="postilion",
    help="Marketing automation and campaigns, from YAML that lives in git.",
    no_args_is_help=True,
    rich_markup_mode=None,  # Rich's help pages would triple the start-up time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def postilion(
    context: typer.Context,
    project: Annotated[
        str | None,
        typer.Option(help="The project folder. Default: POSTILION_PROJECT, or this folder.", metavar="FOLDER"),
    ] = None,
    now: Annotated[
        str | None, typer.Option(help="Pretend that it is this instant (ISO 8601), for old data.", metavar="INSTANT")
    ] = None,
) -> None:
    context.obj = Options(project=project, now=now)


for module in (
    init,
    check,
    doctor,
    test,
    plan,
    apply,
    simulate,
    backtest,
    journeys,
    import_,
    segments,
    lists,
    merges,
    accounts,
    tasks,
    recommend,
    insights,
    launch,
    deliver,
    letters,
    consent,
    messages,
    pauses,
    preview,
    send_test,
    profile,
    explain,
    why_not,
    graph,
    privacy,
    report,
    write_keys,
    snippet,
    widget,
    secrets_shown,
    webhooks,
    events,
    quarantine,
    keys,
    backup,
    retention,
    sandbox,
    setup,
    up,
):
    module.register(app)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        app(standalone_mode=True)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        sys.exit(ExitCode.INPUT)
    except PostilionError as error:
        print(f"postilion: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has enough of it, as `head` does.
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EADDRINUSE, errno.EDQUOT):
            raise
        place = f" ({error.filename})" if error.filename else ""
        print(f"postilion: {error.strerror}{place}. Put that right and run the command again.", file=sys.stderr)
        sys.exit(ExitCode.ENVIRONMENT)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
