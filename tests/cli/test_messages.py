"""`messages` and `setup` on the command line: what they say to a person and to a program, with which exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.cli.test_commands import Shell, shell, shop

__all__ = ["shell", "shop"]


@pytest.fixture
def aws(shop: Shell, tmp_path: Path) -> Iterator[Shell]:
    """The shop beside a sandbox."""
    with SandboxServer(SandboxOptions(folder=tmp_path / "sandbox")) as server:
        environment = {**shop.environment, "POSTILION_AWS_ENDPOINT_URL": server.url}
        yield replace(shop, environment=environment)


def test_nothing_to_show_is_said_with_the_way_out_when_there_are_no_messages(shop: Shell) -> None:
    assert "No such message" in shop.run("messages", "list").out
    for words in (("show", "nothing"), ("resend", "nothing")):
        answer = shop.run("messages", *words)
        assert (answer.code, bool(answer.error)) == (1, True)
    answer = shop.run("messages", "resend", "nothing", "--reason", "erased")
    assert (answer.code, "render_error" in answer.error) == (1, True)


def test_plan_then_apply_then_nothing_to_do_when_ses_is_set_up(aws: Shell) -> None:
    plan = aws.run("setup", "ses", "--json")
    assert plan.code == 0, plan.error
    standing = {(part["kind"], part["name"]): part["standing"] for part in plan.document["parts"]}
    assert standing.pop(("configuration set", "postilion")) == "stands"  # the sandbox has it from its start
    assert set(standing.values()) == {"missing"}
    applied = aws.run("setup", "ses", "--apply", "--by", "sqs", "--json").document
    assert [part for part in applied["parts"] if part["standing"] not in ("made", "stands")] == []
    assert "POSTILION_SQS_QUEUE" in applied["settings"]
    assert any("_domainkey" in record for records in applied["dns"].values() for record in records)
    again = aws.run("setup", "ses", "--by", "sqs")
    assert "Everything stands" in again.out
    assert json.dumps(applied["settings"]["POSTILION_SNS_TOPICS"]).strip('"') in again.out


def test_exit_code_is_the_environments_when_aws_is_not_reached(shop: Shell) -> None:
    alone = replace(shop, environment={**shop.environment, "POSTILION_AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    answer = alone.run("setup", "ses")
    assert (answer.code, "EndpointConnectionError" in answer.error) == (3, True)
