"""The web's entrances of tracking: events, pixel, links, and the pages that messages lead to.

Starting and stopping the ingestion is the business of the server's lifespan.
"""

from __future__ import annotations

from typing import Any

from starlette.routing import BaseRoute, Route

import tracking.events.web
import tracking.outgoing.web
import tracking.pages.signing_up.web
import tracking.pages.web
import tracking.snippet.web
from core.runtime import Runtime
from tracking.destinations import Destinations
from tracking.ingestion.group_commit import Ingestion
from tracking.mail_requests import Pixel, Redirect
from tracking.networks import network_of
from tracking.pages.web import ViewMessage
from tracking.tokens import KeyRing


def routes(runtime: Runtime, ingestion: Ingestion[Any], *, view_message: ViewMessage | None = None) -> list[BaseRoute]:
    """All routes of tracking; `ingestion` is that of `records.create_ingestion`, started by the server."""
    key_ring = KeyRing.derive(runtime.vault.signing_key, runtime.vault.key_version)
    destinations = Destinations(runtime.database, runtime.vault)
    networks = network_of(runtime.settings)
    return [
        Route("/o/{token}", Pixel(ingestion, key_ring, runtime.clock, networks)),
        Route("/c/{token}", Redirect(ingestion, key_ring, destinations, runtime.clock, networks)),
        *tracking.pages.web.routes(runtime, ingestion, key_ring, view_message),
        *tracking.pages.signing_up.web.routes(runtime, key_ring),
        *tracking.events.web.routes(runtime, ingestion),
        *tracking.snippet.web.routes(runtime),
        *tracking.outgoing.web.routes(runtime),
    ]
