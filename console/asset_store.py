"""Where this installation keeps its assets, and the page that shows those of its own folder."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.settings import Settings
from delivery.assets import CACHE_CONTROL, AssetStore, FolderStore, content_type_of


def open_store(settings: Settings) -> AssetStore:
    """The bucket of the settings, else the state folder."""
    if settings.assets_url:
        from delivery.providers.s3_assets import S3Store  # boto3 is heavy, and few have a bucket

        return S3Store(settings.assets_url, region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)
    return FolderStore(settings.assets_folder)


def routes(settings: Settings) -> list[Route]:
    store = FolderStore(settings.assets_folder)

    async def show(request: Request) -> Response:
        place = f"{request.path_params['digest']}/{request.path_params['name']}"
        content = await run_in_threadpool(store.find, place)
        if content is None:
            return PlainTextResponse("There is nothing here.", status_code=404)
        headers = {
            "Cache-Control": CACHE_CONTROL,
            "X-Content-Type-Options": "nosniff",
            # An SVG may hold a script; on a page of ours it must not run.
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        }
        return Response(content, media_type=content_type_of(place), headers=headers)

    return [Route("/assets/{digest}/{name}", show, methods=["GET"])]
