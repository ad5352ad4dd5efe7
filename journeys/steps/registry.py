"""The list of the verbs: a new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from journeys.steps import (
    bandit,
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
    start_journey,
    static_lists,
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
        static_lists.ADD_TO,
        static_lists.REMOVE_FROM,
        emit.VERB,
        offer.VERB,
        task.VERB,
        start_journey.VERB,
        wait.VERB,
        wait_until.VERB,
        wait_for.VERB,
        choose.VERB,
        split.VERB,
        bandit.VERB,
        holdout.VERB,
        repeat.VERB,
        goto.VERB,
        exit_journey.VERB,
    )
}

# The verbs that send something, and so can be skipped.
MESSAGES = frozenset({"email", "sms", "voice", "letter", webhook.VERB.name})

# Words of the language that no verb acts on yet, and what is missing.
WHY_NOT_YET: Mapping[str, str] = {"push": "there is no transport for push messages, so the verb 'push'"}
NOT_YET = frozenset(WHY_NOT_YET)
