"""The letters of one mail-merge file as pages: HTML that Chromium, where it is installed, prints into one PDF.

The address stands where the window of a DIN lang or C5/6 envelope is (DIN 5008, form B). The browser gets a folder of
its own and no network; nothing in a letter is taken for HTML.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from markupsafe import escape

from core.errors import EnvironmentFaultError, InputError
from delivery.providers.letter import ID, SENDER, TEXT

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PRINT_S = 300
_STYLE = """
@page { size: A4; margin: 0 }
body { margin: 0; font: 11pt/1.45 Georgia, "Times New Roman", serif; color: #111 }
section { box-sizing: border-box; width: 210mm; min-height: 296mm; padding: 98mm 20mm 25mm 25mm; position: relative;
  break-after: page }
section:last-child { break-after: auto }
.from { position: absolute; top: 45mm; left: 25mm; width: 80mm; font: 7pt/1.3 Helvetica, Arial, sans-serif;
  border-bottom: .2mm solid #777; white-space: nowrap; overflow: hidden }
address { position: absolute; top: 52mm; left: 25mm; width: 80mm; height: 32mm; font-style: normal; overflow: hidden }
p { margin: 0 0 3.5mm; white-space: pre-line }
"""


def read_letters(file: Path) -> list[dict[str, str]]:
    """The rows of a file that the transport wrote. Raises InputError for any other."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            reader = csv.DictReader(opened, strict=True)
            rows = [{name: value or "" for name, value in row.items() if name} for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        cause = type(error).__name__
        raise InputError(f"{file} cannot be read ({cause}): name a file of the folder letters.") from None
    if not rows or not {ID, SENDER, TEXT} <= rows[0].keys():
        raise InputError(f"{file.name} holds no letters: name a file of the folder letters.")
    return rows


def write_html(letters: list[dict[str, str]]) -> Iterator[str]:
    """One page or more a letter, piece by piece."""
    yield f'<!doctype html><meta charset="utf-8"><title>Letters</title><style>{_STYLE}</style>'
    for letter in letters:
        yield _page(letter)


def print_pdf(file: Path, to: Path) -> int:
    """Print the letters of `file` into the PDF `to`, for its owner alone; answers how many there are.

    Raises EnvironmentFaultError when there is no Chromium, or it fails.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise EnvironmentFaultError("no Chromium is installed to print with: install it, or hand over the CSV alone.")
    letters = read_letters(file)
    with tempfile.TemporaryDirectory(prefix="postilion-letters-") as folder:
        page, draft = Path(folder) / "letters.html", Path(folder) / "letters.pdf"
        with page.open("w", encoding="utf-8") as opened:
            opened.writelines(write_html(letters))
        command = [
            browser,
            "--headless",
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),  # as root it cannot build one
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={draft}",
            page.as_uri(),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_PRINT_S)
        except (subprocess.SubprocessError, OSError) as error:
            raise EnvironmentFaultError(f"{Path(browser).name} could not print ({type(error).__name__}).") from None
        if not draft.exists():
            raise EnvironmentFaultError(f"{Path(browser).name} printed nothing: try it by hand.")
        to.touch(mode=0o600)
        to.chmod(0o600)
        to.write_bytes(draft.read_bytes())
    return len(letters)


def _page(letter: Mapping[str, str]) -> str:
    lines = [value for name, value in letter.items() if name not in (ID, SENDER, TEXT) and value.strip()]
    address = "<br>".join(str(escape(line)) for line in lines)
    paragraphs = [part.strip("\n") for part in letter[TEXT].replace("\r\n", "\n").split("\n\n")]
    text = "".join(f"<p>{escape(part)}</p>" for part in paragraphs if part.strip())
    sender = escape(letter[SENDER])
    return f'<section><div class="from">{sender}</div><address>{address}</address>{text}</section>\n'
