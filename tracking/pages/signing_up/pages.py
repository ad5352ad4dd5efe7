"""The pages of signing up: the form, hosted or in a frame; the thanks; and the question behind the mailed link."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from customers.workspace import ValueKind, Workspace
from tracking.pages.language import Texts
from tracking.pages.layout import Embedding, Page, make_page, said_page, topic_names
from tracking.pages.signing_up.confirming import SignUp, Status
from tracking.pages.signing_up.definition import EMAIL, Form, FormField
from tracking.pages.signing_up.entry import CONSENT, STAMP, TOPIC, Filled, trap_of

_INPUT: Final = {ValueKind.NUMBER: "number", ValueKind.DATE: "date", ValueKind.BOOLEAN: "checkbox"}


def form_page(
    workspace: Workspace,
    texts: Texts,
    form: Form,
    stamp: str,
    filled: Filled,
    *,
    is_framed: bool = False,
    note: str | None = None,
) -> Page:
    """The form, with what was written into it and what is wrong with that."""
    errors = dict(filled.errors)
    return make_page(
        "form",
        workspace,
        texts,
        form.title,
        window_title=f"{texts('form.error_prefix')} {form.title}" if errors else form.title,
        embedding=_embedding(form, is_framed=is_framed),
        form=form,
        fields=[_shown(one, texts) for one in form.fields],
        topics=list(zip(form.topics, topic_names(workspace, form.topics), strict=True)),
        chosen=filled.topics,
        written={EMAIL: "", **{one.attribute: "" for one in form.fields}, **filled.written},
        agrees=filled.agrees,
        errors=errors,
        note=note,
        stamp=stamp,
        names={"email": EMAIL, "topic": TOPIC, "consent": CONSENT, "stamp": STAMP, "trap": trap_of(form)},
        leads_away=bool(form.redirect) and is_framed,
    )


def thanks_page(workspace: Workspace, texts: Texts, form: Form, *, is_framed: bool) -> Page:
    """The same for everybody: who is known here is nobody's business."""
    embedding = _embedding(form, is_framed=is_framed)
    said = form.thanks or texts("form.thanks")
    return said_page(workspace, texts, texts("form.thanks_title"), said, embedding=embedding)


def confirm_page(workspace: Workspace, texts: Texts, found: SignUp) -> Page:
    """Asks whether it shall begin; afterwards says that it has, or that the link is too old."""
    brand = workspace.brand["name"]
    if found.status is Status.CONFIRMED:
        return said_page(workspace, texts, texts("confirm.done_title"), texts("confirm.done", brand=brand))
    if found.is_too_old:
        return said_page(workspace, texts, texts("confirm.old_title"), texts("confirm.old"))
    names = topic_names(workspace, found.topics)
    return make_page("confirm", workspace, texts, texts("confirm.title"), topics=names)


def _embedding(form: Form, *, is_framed: bool) -> Embedding:
    target = urlsplit(form.redirect) if form.redirect else None
    leads_to = (f"{target.scheme}://{target.netloc}",) if target else ()
    return Embedding(form.embed if is_framed else (), leads_to, tells_origin=True)


def _shown(one: FormField, texts: Texts) -> dict[str, object]:
    return {
        "name": one.attribute,
        "label": one.label if one.is_required else texts("form.optional", label=one.label),
        "kind": _INPUT.get(one.kind, "text"),
        "is_required": one.is_required,
        "options": one.options,
        "autocomplete": one.autocomplete,
    }
