"""Template and profile against the mail that comes out, as files that a marketer can read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from delivery.templates import render
from tests.conftest import GOLDEN
from tests.delivery.template_files import compiled, tracked

FOLDER = GOLDEN / "templates"
NAMES = sorted(file.stem for file in FOLDER.glob("*.mjml"))


@pytest.mark.parametrize("name", NAMES)
def test_mail_is_as_reviewed_when_a_template_meets_a_profile(name: str, golden: Callable[[str, str], None]) -> None:
    context = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))

    mail = render(compiled((FOLDER / f"{name}.mjml").read_text(encoding="utf-8")), context, tracked)

    golden(f"templates/{name}.html", _one_tag_a_line(mail.html))
    golden(f"templates/{name}.txt", f"Subject: {mail.subject}\nPreheader: {mail.preheader}\n\n{mail.text}")


def _one_tag_a_line(html: str) -> str:
    return re.sub(r"\s*(?=<(?!!\[endif|!doctype|/?(?:a|b|i)\b))", "\n", html).strip() + "\n"
