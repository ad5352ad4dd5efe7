"""The web application: every package's routes in one Starlette, with health, readiness and the writers behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import campaigns.web
import console.asset_store
import console.openapi
import console.profile_web
import console.rights.web
import delivery.web
import journeys.web
import recommender.web
import recommender.widget.web
import tracking.web
from campaigns.transactional.accept import accept_messages
from campaigns.transactional.request import Submission
from campaigns.view import find_message_html
from console.rights.replay import replay_erasures
from core.errors import PostilionError
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.intake import Callback, store_callbacks
from journeys.entries.requests import Submission as EntrySubmission
from journeys.entries.requests import accept_entries
from recommender.serving.server import OfferServer
from tracking.ingestion.group_commit import Ingestion
from tracking.ingestion.records import create_ingestion
from tracking.mail_leaving import leaving_by_mail


def create_app(runtime: Runtime) -> Starlette:
    """The application for one runtime; its writers start and stop with the server."""
    events = create_ingestion(runtime)
    callbacks: Ingestion[Callback] = Ingestion(runtime.database, store_callbacks(runtime, leaving_by_mail(runtime)))
    messages: Ingestion[Submission] = Ingestion(runtime.database, accept_messages(runtime))
    entries: Ingestion[EntrySubmission] = Ingestion(runtime.database, accept_entries(runtime))
    offers = OfferServer(runtime)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(replay_erasures, runtime, runtime.clock.now())
        events.start()
        callbacks.start()
        messages.start()
        entries.start()
        offers.start()
        try:
            yield
        finally:
            # All wait until what was accepted is stored.
            await offers.close()
            await run_in_threadpool(entries.stop)
            await run_in_threadpool(messages.stop)
            await run_in_threadpool(callbacks.stop)
            await run_in_threadpool(events.stop)

    async def show_health(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def show_readiness(_request: Request) -> Response:
        try:
            workspace = await run_in_threadpool(_ask_database, runtime)
        except PostilionError as error:
            return JSONResponse({"status": "not ready", "error": str(error)}, status_code=503)
        return JSONResponse({"status": "ready", "workspace": workspace})

    return Starlette(
        routes=[
            Route("/health", show_health, methods=["GET"]),
            Route("/ready", show_readiness, methods=["GET"]),
            *tracking.web.routes(runtime, events, view_message=lambda token: find_message_html(runtime, token)),
            *delivery.web.routes(runtime, callbacks.submit),
            *campaigns.web.routes(runtime, messages.submit),
            *journeys.web.routes(runtime, entries.submit),
            *recommender.web.routes(runtime, offers),
            *recommender.widget.web.routes(),
            *console.profile_web.routes(runtime),
            *console.rights.web.routes(runtime),
            *console.asset_store.routes(runtime.settings),
            *console.openapi.routes(),
        ],
        lifespan=lifespan,
    )


def _ask_database(runtime: Runtime) -> str:
    with runtime.database.read() as connection:
        return get_workspace(connection).slug
