"""Files of the project in mails: named by their content, published before the mail, and shown for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from starlette.applications import Starlette

from console.asset_store import open_store, routes
from core.errors import ConfigError, EnvironmentFaultError, InputError
from core.settings import Settings
from delivery.assets import HEAVY, FolderStore, publish_assets, read_assets
from delivery.front_matter import parse_template
from delivery.providers.s3_assets import S3Store
from delivery.template_enclosures import Enclosures
from delivery.templates import compile_template, render
from tests.delivery.template_files import column, mail, tracked

PNG = b"\x89PNG\r\n\x1a\n and so on"
PLACE = "0123456789abcdef0123456789abcdef/hero.jpg"


def put(project: Path, name: str, content: bytes = PNG) -> Path:
    file = project / "assets" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def ask(settings: Settings, path: str) -> httpx.Response:
    """What the web server answers."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=list(routes(settings))))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.get(path)

    return asyncio.run(get())


def test_address_stands_in_html_and_text_when_a_template_names_an_asset() -> None:
    body = column(
        '<mj-image src="{{ asset("hero.jpg") }}" alt="Hero" />'
        "<mj-text><a href=\"{{ asset('guide.pdf') }}\">Guide</a></mj-text>"
    )
    places = {"hero.jpg": PLACE, "guide.pdf": PLACE.replace("hero.jpg", "guide.pdf")}
    source, _faults = parse_template(mail(body), "hello.mjml", Enclosures(assets=places))
    assert source is not None

    found = render(compile_template(source), {}, tracked, assets_url="https://cdn.example/a/")

    assert f'src="https://cdn.example/a/{PLACE}"' in found.html
    assert "?to=https://cdn.example/a/0123456789abcdef0123456789abcdef/guide.pdf" in found.html
    assert source.enclosures.used_by(mail(body)).as_document() == {"assets": places}


def test_fault_names_the_nearest_when_an_asset_is_missing() -> None:
    body = column('\n<mj-image src="{{ asset("herro.jpg") }}" alt="" />')
    source, _faults = parse_template(mail(body), "hello.mjml", Enclosures(assets={"hero.jpg": PLACE}))
    assert source is not None

    with pytest.raises(ConfigError) as error:
        compile_template(source)

    assert str(error.value) == "hello.mjml:8:16: E179 there is no asset 'herro.jpg', did you mean 'hero.jpg'?"


@pytest.mark.parametrize("call", ["asset(profile.x)", "asset()", "asset('a', 'b')", "asset('a' ~ 'b')"])
def test_asset_is_refused_when_its_name_is_not_written_out(call: str) -> None:
    source, _faults = parse_template(mail(column(f"<mj-text>{{{{ {call} }}}}</mj-text>")), "hello.mjml")
    assert source is not None

    with pytest.raises(ConfigError):
        compile_template(source)


def test_what_cannot_be_an_asset_is_told_when_the_folder_is_read(tmp_path: Path) -> None:
    put(tmp_path, "img/Große Höhe.PNG")
    put(tmp_path, "heavy.jpg", b"x" * (HEAVY + 1))
    put(tmp_path, "run.js")
    put(tmp_path, ".DS_Store")
    put(tmp_path, "huge.gif", b"x" * 10_000_001)
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    (tmp_path / "assets" / "link.png").symlink_to(secret)

    assets, faults = read_assets(tmp_path)

    assert [asset.name for asset in assets] == ["heavy.jpg", "img/Große Höhe.PNG"]
    assert assets[1].place.partition("/")[2] == "Gro-e-H-he.PNG"
    assert [f"{fault.file} {fault.code} {fault.message}" for fault in sorted(faults)] == [
        "assets/heavy.jpg W218 the file has 1.0 MB",
        "assets/huge.gif E179 the file is larger than 10 MB",
        "assets/run.js E179 a mail cannot show a '.js' file",
        "secret.png E179 the file is a link that leads out of assets/",
    ]


def test_place_changes_when_the_content_does(tmp_path: Path) -> None:
    file = put(tmp_path, "hero.png")
    ((before,), _), _ = read_assets(tmp_path), file.write_bytes(PNG + b"!")
    ((after,), _) = read_assets(tmp_path)

    assert before.place != after.place


def test_web_server_shows_an_asset_for_ever_when_it_was_published(tmp_path: Path) -> None:
    put(tmp_path, "hero.svg", b"<svg><script>alert(1)</script></svg>")
    settings = Settings(project=str(tmp_path), public_url="https://mail.shop.example/")
    assets, _faults = read_assets(tmp_path)

    assert (publish_assets(open_store(settings), assets), publish_assets(open_store(settings), assets)) == (1, 0)

    answer = ask(settings, f"/assets/{assets[0].place}")
    assert (answer.status_code, answer.content) == (200, assets[0].content)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert settings.assets_base == "https://mail.shop.example/assets"


@pytest.mark.parametrize(
    "place", ["../postilion.db", f"{PLACE}/../../x", "%2e%2e/postilion.db", f"{'0' * 32}/.hidden", PLACE]
)
def test_nothing_else_is_shown_when_somebody_asks_for_it(tmp_path: Path, place: str) -> None:
    settings = Settings(project=str(tmp_path))
    settings.assets_folder.mkdir(parents=True)
    (settings.state_folder / "postilion.db").write_text("secret")

    assert ask(settings, f"/assets/{place}").status_code == 404
    assert FolderStore(settings.assets_folder).find(place) is None


class _Bucket(BaseHTTPRequestHandler):
    """Keeps what is put into it, in the words of S3."""

    objects: dict[str, tuple[bytes, dict[str, str]]]

    def do_HEAD(self) -> None:
        self._answer(200 if self.path in self.objects else 404)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/forbidden"):
            self._answer(403)
            return
        self.objects[self.path] = (content, {name.lower(): value for name, value in self.headers.items()})
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def bucket() -> Iterator[tuple[str, dict[str, tuple[bytes, dict[str, str]]]]]:
    objects: dict[str, tuple[bytes, dict[str, str]]] = {}
    handler = type("Bucket", (_Bucket,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", objects
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_bucket_holds_the_asset_once_when_it_is_published_twice(tmp_path: Path) -> None:
    put(tmp_path, "hero.png")
    assets, _faults = read_assets(tmp_path)

    with bucket() as (url, objects):
        store = S3Store("s3://shop/mail", region="eu-central-1", endpoint_url=url)
        assert [publish_assets(store, assets) for _ in range(2)] == [1, 0]

    ((path, (content, headers)),) = objects.items()
    assert path == f"/shop/mail/{assets[0].place}"
    assert PNG in content
    assert headers["content-type"] == "image/png"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    settings = Settings(assets_url="s3://shop/mail", aws_region="eu-west-1")
    assert settings.assets_base == "https://shop.s3.eu-west-1.amazonaws.com/mail"
    assert (
        Settings(assets_url="s3://shop", assets_public_url="https://cdn.example/").assets_base == "https://cdn.example"
    )


def test_publishing_fails_with_the_way_out_when_the_bucket_refuses(tmp_path: Path) -> None:
    put(tmp_path, "hero.png")
    assets, _faults = read_assets(tmp_path)

    with bucket() as (url, _objects), pytest.raises(EnvironmentFaultError, match="s3:PutObject"):
        publish_assets(S3Store("s3://forbidden", region="eu-central-1", endpoint_url=url), assets)
    with pytest.raises(InputError, match="s3://BUCKET"):
        S3Store("https://shop.example", region="eu-central-1")
