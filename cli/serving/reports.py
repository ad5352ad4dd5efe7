"""The fetching of reports as a process of `postilion up`: `python -m cli.serving.reports WORKSPACE`."""

from __future__ import annotations

import signal
import sys
import threading

from core.log import configure_logging
from core.runtime import Runtime, open_runtime
from core.settings import load_settings
from delivery.callbacks.sqs import SqsQueue
from delivery.intake import store_callbacks
from delivery.report_queue import fetch_forever
from tracking.mail_leaving import leaving_by_mail

_END_S = 3.0


def fetch_until_asked(runtime: Runtime, stopped: threading.Event) -> None:
    """Fetch from POSTILION_SQS_QUEUE until `stopped`.

    A long poll that is under way is left alone: what it may still receive is handed out again, because nobody deletes
    it.
    """
    settings = runtime.settings
    queue = SqsQueue(settings.sqs_queue, region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)
    store = store_callbacks(runtime, leaving_by_mail(runtime))
    fetcher = threading.Thread(
        target=fetch_forever,
        args=(runtime, queue, store),
        kwargs={"is_stopped": stopped.is_set, "rest": stopped.wait},
        name="reports",
        daemon=True,
    )
    fetcher.start()
    while fetcher.is_alive() and not stopped.wait(1.0):
        pass
    fetcher.join(_END_S)
    queue.close()


def main(workspace: str) -> None:
    """Fetch until SIGTERM, with the settings of the environment."""
    settings = load_settings()
    configure_logging(settings.log_level)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with open_runtime(settings, workspace) as runtime:
        fetch_until_asked(runtime, stopped)


if __name__ == "__main__":
    main(sys.argv[1])
