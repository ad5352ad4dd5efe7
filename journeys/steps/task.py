"""`task`: ask a person or a team to do something, such as a call; the step is over when the task is written down.

Title and body are small templates that are rendered when the step is reached. Others wait for the outcome by
`wait_for: {event: task_closed, where: {step: …}}`, which means the task that this run has made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.message_context import workspace_context
from core.durations import Duration, add_calendar
from core.errors import ConfigError, InputError
from core.ids import derived_id
from customers.task_moves import check_name
from customers.task_tables import Priority, TaskKind
from customers.tasks import check_body, check_title
from delivery.inline_text import InlineText, compile_text, render_text
from delivery.templates import RenderError
from journeys.questions import ProfileValues
from journeys.steps.contract import Decision, Done, Fail, NameKind, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import CreateTask

_ROOTS = ("profile", "entry", "steps", "workspace")


@dataclass(frozen=True, slots=True)
class TaskStep:
    """What is asked of whom; `due` counts from when the step is reached."""

    title: InlineText
    body: InlineText | None
    kind: TaskKind
    team: str | None
    assignee: str | None
    due: Duration | None
    priority: Priority

    @property
    def reads_profile(self) -> bool:
        texts = [self.title, *([self.body] if self.body else [])]
        return any(variable.path.partition(".")[0] == "profile" for text in texts for variable in text.variables)


def parse(spec: StepSpec) -> TaskStep:
    data: Mapping[str, Any] = spec.data["task"]
    for word in ("team", "assign_to"):
        if word in data:
            _check_name(spec, word)
    return TaskStep(
        title=_text(spec, "title"),
        body=_text(spec, "body") if "body" in data else None,
        kind=TaskKind(data.get("kind", TaskKind.TO_DO)),
        team=data.get("team"),
        assignee=data.get("assign_to"),
        due=spec.duration(data["due"], "task", "due") if "due" in data else None,
        priority=Priority(data.get("priority", Priority.NORMAL)),
    )


def advance(step: Step, run: Run) -> Decision:
    action: TaskStep = step.action
    context = {
        **run.sources,
        "profile": run.ask(ProfileValues()) if action.reads_profile else {},
        "workspace": workspace_context(run.world.workspace),
    }
    try:
        title = check_title(render_text(action.title, context))
        body = check_body(render_text(action.body, context)) if action.body is not None else ""
    except RenderError as error:
        return Fail(f"{error.template}: {error.cause}")
    except InputError as error:
        return Fail(str(error))
    task_id = derived_id(run.step_run_id(step), "task")
    run.effects.append(
        CreateTask(
            id=task_id,
            kind=action.kind,
            title=title,
            body=body,
            team=action.team,
            assignee=action.assignee,
            priority=action.priority,
            due_at=add_calendar(run.now, action.due, run.zone) if action.due is not None else None,
            step=step.id,
        )
    )
    run.results[step.id] = {"task_id": task_id}
    return Done()


def _check_name(spec: StepSpec, word: str) -> None:
    try:
        check_name(spec.data["task"][word])
    except InputError as error:
        spec.report("E103", "task", word, message=str(error).rstrip("."), hint="write a name")


def _text(spec: StepSpec, word: str) -> InlineText:
    """The text under `word`, compiled; what is wrong with it is reported at its place, and nothing stands for it."""
    path, written = ("task", word), spec.data["task"][word]
    if word == "title" and not written.strip():
        spec.report("E103", *path, message="the title is empty", hint="say what is to be done")
    try:
        text = compile_text(f"task.{word}", written)
    except ConfigError as error:
        for fault in error.faults:
            spec.report(fault.code, *path, message=fault.message, hint=fault.hint)
        return compile_text(f"task.{word}", "")
    for variable in text.variables:
        root, _, rest = variable.path.partition(".")
        if root not in _ROOTS:
            hint = f"read {', '.join(f'{one}.*' for one in _ROOTS)}"
            spec.report("E123", *path, message=f"a task has no '{variable.path}'", hint=hint)
        elif root == "steps" and rest:
            spec.mention(NameKind.STEP, rest.partition(".")[0], *path)
    return text


VERB = Verb("task", parse, advance)
