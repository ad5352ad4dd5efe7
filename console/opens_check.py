"""W205 in segments and audiences: a rule that counts on opens where some people's are not tracked. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from console.project import ProjectFile
from core.errors import Fault
from customers.tracking_consent import open_rule
from customers.workspace import Workspace
from segments.language.rules import Happening, MessageRule, Rule, iter_leaves


def check_opens(file: ProjectFile, rule: Rule, workspace: Workspace | None) -> Iterator[Fault]:
    """A warning at each `was: opened`, unless every open is one person's by the workspace's own rule."""
    if workspace is None or open_rule(workspace).is_individual_everywhere:
        return
    for leaf in iter_leaves(rule):
        if isinstance(leaf, MessageRule) and leaf.was is Happening.OPENED:
            message = "opens of some or all people are not tracked here"
            hint = "use `clicked`, or set `tracking.opens: individual`"
            yield file.located.fault("W205", (*leaf.path, "was"), message, hint)
