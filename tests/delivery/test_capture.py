"""Messages as files, where nothing is to be sent: a mail that a mail program opens, a text, a document."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from pathlib import Path

import pytest

from core.settings import Settings
from delivery.providers.registry import create_transports
from tests.delivery.counterparts import HOOK, LETTER, POST, TEXT


def test_nothing_leaves_the_machine_when_there_is_a_folder_to_capture_in(tmp_path: Path) -> None:
    settings = Settings(capture=str(tmp_path / "mails"), transports="email=smtp")  # smtp is not even set up
    made = create_transports(settings)
    for envelope in (LETTER, TEXT, POST, HOOK, replace(LETTER, transport="smtp", message_id="m-2")):
        assert made[envelope.route].send(replace(envelope, recipient="alice@people.example")).provider_id
    assert {transport.name for transport in made.values()} == {"capture"}
    files = {file.name: file for file in (tmp_path / "mails").iterdir()}
    assert set(files) == {"m-1.eml", "m-1.txt", "m-1.json", "m-2.eml"}
    with files["m-1.eml"].open("rb") as opened:
        mail = email.message_from_binary_file(opened, policy=email.policy.default)
    assert (mail["Subject"], mail["To"]) == (LETTER.subject, "alice@people.example")
    assert files["m-1.json"].read_text() == HOOK.text
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}


@pytest.mark.parametrize("message_id", ["../../m", "m/1", "m\0"])
def test_a_file_stays_in_the_folder_when_the_id_is_a_path(tmp_path: Path, message_id: str) -> None:
    create_transports(Settings(capture=str(tmp_path / "mails")))["sms"].send(replace(TEXT, message_id=message_id))
    assert len(list((tmp_path / "mails").iterdir())) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["mails"]
