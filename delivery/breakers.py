"""Circuit breakers: when so much goes wrong with a campaign or a journey that going on would make it worse.

Pure. Rejections are counted as the answers come in; bounces and complaints by what providers report, with the limits
of the bulk-sender rules of the large mailbox providers (https://support.google.com/a/answer/81126).
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from enum import StrEnum

IN_A_ROW = 20
WINDOW = 100
_HALF = WINDOW // 2
_PERCENT = 100


class RejectionBreaker:
    """Counts what a provider refused for good, by scope; not thread-safe.

    Trips after 20 rejections in a row, or when more than half of the last 100 answers were rejections. Then it forgets:
    whoever resumes gets a fresh start.
    """

    def __init__(self) -> None:
        self._answers: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._in_a_row: defaultdict[str, int] = defaultdict(int)

    def note(self, scope: str, *, is_rejected: bool) -> str | None:
        """Count one answer; the cause when this one trips the breaker."""
        answers = self._answers[scope]
        answers.append(is_rejected)
        self._in_a_row[scope] = self._in_a_row[scope] + 1 if is_rejected else 0
        cause = None
        if self._in_a_row[scope] >= IN_A_ROW:
            cause = f"{IN_A_ROW} messages in a row were rejected"
        elif len(answers) == WINDOW and (count := sum(answers)) > _HALF:
            cause = f"{count} of the last {WINDOW} messages were rejected"
        if cause is not None:
            del self._answers[scope], self._in_a_row[scope]
        return cause


class Severity(StrEnum):
    WARN = "warn"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What was reported about the messages of one scope.

    `arrived` counts those whose fate is known: delivered or bounced. `can_complain` counts those delivered to providers
    that tell of complaints.
    """

    arrived: int = 0
    bounced: int = 0
    can_complain: int = 0
    complained: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    severity: Severity
    cause: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """Shares in percent, and how much has to have happened before a share means anything."""

    word: str
    warns_at: float
    pauses_at: float
    least_of: int
    least_to_warn: int
    least_to_pause: int


_COMPLAINTS = _Rule("called spam", 0.1, 0.3, least_of=500, least_to_warn=2, least_to_pause=3)
_BOUNCES = _Rule("bounced", 5.0, 10.0, least_of=100, least_to_warn=5, least_to_pause=10)


def judge_feedback(feedback: Feedback) -> Verdict | None:
    """The graver of what complaints and bounces say, None when both are in order."""
    verdicts = [
        _judge(_COMPLAINTS, feedback.complained, feedback.can_complain),
        _judge(_BOUNCES, feedback.bounced, feedback.arrived),
    ]
    told = [verdict for verdict in verdicts if verdict is not None]
    return next((one for one in told if one.severity is Severity.PAUSE), told[0] if told else None)


def _judge(rule: _Rule, count: int, of: int) -> Verdict | None:
    if of < rule.least_of:
        return None
    share = _PERCENT * count / of
    cause = f"{share:.2f} % of {of:,} delivered messages were {rule.word}"
    if rule.word == _BOUNCES.word:
        cause = f"{share:.1f} % of {of:,} messages {rule.word}"
    if share >= rule.pauses_at and count >= rule.least_to_pause:
        return Verdict(Severity.PAUSE, cause)
    if share >= rule.warns_at and count >= rule.least_to_warn:
        return Verdict(Severity.WARN, cause)
    return None
