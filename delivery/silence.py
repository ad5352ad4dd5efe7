"""The silence alarm: mail goes out, and nothing comes back of it.

Then bounces and complaints pass unseen, and the next mail goes to people who have complained. Usually a topic, a queue
or a configuration set has been changed by somebody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from core.settings import Settings
from delivery.alarms import clear_alarm, raise_alarm
from delivery.tables import MessageStatus, delivery_event, message

NAME = "silence:email"
PATIENCE = timedelta(minutes=30)
_LOOKS_BACK = timedelta(hours=6)
_ENOUGH = 10  # mails: of fewer, nothing can be told
_PROVIDER = "ses"


def watch_silence(connection: Connection, settings: Settings, now: datetime) -> bool:
    """Raise the alarm or end it; answers whether it has just begun.

    It rings when ten mails went out more than 30 minutes ago, within six hours, and nothing was reported since the
    first of them.
    """
    newest = select(delivery_event.c.received_at).order_by(delivery_event.c.id.desc()).limit(1)
    heard_at = connection.execute(newest).scalar_one_or_none()
    if heard_at is not None and heard_at > now - PATIENCE:
        clear_alarm(connection, NAME)
        return False
    since = max(heard_at or now - _LOOKS_BACK, now - _LOOKS_BACK)
    count = _count_sent(connection, since, now - PATIENCE)
    if count < _ENOUGH:
        return False
    return raise_alarm(connection, NAME, f"{_what(count, heard_at, now)}: {_way_out(settings)}", now)


def _count_sent(connection: Connection, after: datetime, before: datetime) -> int:
    is_kept = or_(message.c.context.is_not(None), message.c.lookup.is_not(None))  # as the index ix_message_kept has it
    sent = (
        is_kept,
        message.c.ended_at > after,
        message.c.ended_at <= before,
        message.c.status == MessageStatus.SENT,
        message.c.channel == "email",
        func.substr(message.c.provider, 1, len(_PROVIDER)) == _PROVIDER,
    )
    some = select(message.c.id).where(*sent).limit(_ENOUGH * 100).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _what(count: int, heard_at: datetime | None, now: datetime) -> str:
    went_out = f"{count:,} or more mails went out" if count >= _ENOUGH * 100 else f"{count:,} mails went out"
    if heard_at is None:
        return f"{went_out} and SES has never reported anything"
    return f"{went_out} and SES has reported nothing for {(now - heard_at) // timedelta(minutes=1):,} minutes"


def _way_out(settings: Settings) -> str:
    if not settings.trusted_topics and not settings.sqs_queue:
        return "set POSTILION_SNS_TOPICS or POSTILION_SQS_QUEUE"
    return "look at the configuration set's event destination and at its topic's subscriptions"
