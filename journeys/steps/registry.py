"""The list of the verbs: a new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from journeys.steps import (
    choose,
    emit,
    exit_journey,
    goto,
    holdout,
    messages,
    offer,
    repeat,
    set_attributes,
    split,
    task,
    wait,
    wait_for,
    wait_until,
    webhook,
)
from journeys.steps.contract import Verb

VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        messages.EMAIL,
        messages.SMS,
        messages.VOICE,
        messages.LETTER,
        webhook.VERB,
        set_attributes.VERB,
        emit.VERB,
        offer.VERB,
        task.VERB,
        wait.VERB,
        wait_until.VERB,
        wait_for.VERB,
        choose.VERB,
        split.VERB,
        holdout.VERB,
        repeat.VERB,
        goto.VERB,
        exit_journey.VERB,
    )
}

# Words of the language that no verb acts on yet.
NOT_YET = frozenset({"push", "add_to", "remove_from", "start_journey", "bandit"})
