"""The web server as a process of `postilion up`: `python -m cli.serving.web WORKSPACE`."""

from __future__ import annotations

import sys

from console.server import serve
from core.heap import collect_seldom
from core.log import configure_logging
from core.runtime import open_runtime
from core.settings import load_settings


def main(workspace: str) -> None:
    """Serve until SIGTERM, with the settings of the environment."""
    settings = load_settings()
    configure_logging(settings.log_level)
    with open_runtime(settings, workspace) as runtime:
        collect_seldom()
        serve(runtime)


if __name__ == "__main__":
    main(sys.argv[1])
