"""The list of transports, and which of them serves a channel: the settings say, and a sender may name another.

A new transport is a file beside this one and a line in `TRANSPORTS`; CONTRIBUTING.md has the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from core.errors import InputError
from core.settings import Settings
from core.suggest import did_you_mean
from delivery.envelope import Envelope
from delivery.providers.transport import Accepted, Closeable, Reaction, Transport, TransportError


@dataclass(frozen=True, slots=True)
class TransportEntry:
    """One transport that there is. `needs` is the setting without which it cannot work."""

    name: str
    channel: str
    text: str
    create: Callable[[Settings], Transport]
    needs: str = ""


def _ses(settings: Settings) -> Transport:
    from delivery.providers.ses import SesTransport

    return SesTransport(
        region=settings.aws_region, endpoint_url=settings.aws_endpoint_url, connections=settings.worker_count
    )


def _ses_fast(settings: Settings) -> Transport:
    from delivery.providers.ses_fast import FastSesTransport

    return FastSesTransport(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)


def _ses_bulk(settings: Settings) -> Transport:
    from delivery.providers.ses_bulk import BulkSesTransport

    return BulkSesTransport(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)


def _smtp(settings: Settings) -> Transport:
    from delivery.providers.smtp import SmtpTransport

    return SmtpTransport(settings.smtp_url)


def _aws_sms(settings: Settings) -> Transport:
    from delivery.providers.sms import SmsTransport

    return SmsTransport(
        region=settings.aws_region, endpoint_url=settings.aws_endpoint_url, connections=settings.worker_count
    )


def _sns_sms(settings: Settings) -> Transport:
    from delivery.providers.sns_sms import SnsSmsTransport

    return SnsSmsTransport(
        region=settings.aws_region, endpoint_url=settings.aws_endpoint_url, connections=settings.worker_count
    )


def _aws_voice(settings: Settings) -> Transport:
    from delivery.providers.voice import VoiceTransport

    return VoiceTransport(
        region=settings.aws_region, endpoint_url=settings.aws_endpoint_url, connections=settings.worker_count
    )


def _letter(settings: Settings) -> Transport:
    from delivery.providers.letter import FOLDER, LetterTransport

    return LetterTransport(settings.state_folder / FOLDER)


def _webhook(_settings: Settings) -> Transport:
    from delivery.providers.webhook import WebhookTransport

    return WebhookTransport()


# Of several for one channel the first serves it where nothing else is said.
TRANSPORTS: Mapping[str, TransportEntry] = {
    entry.name: entry
    for entry in (
        TransportEntry("ses", "email", "Amazon SES, by its API", _ses),
        TransportEntry("ses_fast", "email", "Amazon SES, by requests that Postilion signs itself", _ses_fast),
        TransportEntry("ses_bulk", "email", "Amazon SES, up to 50 mails a call", _ses_bulk),
        TransportEntry("smtp", "email", "any mail server, by SMTP", _smtp, needs="smtp_url"),
        TransportEntry("aws_sms", "sms", "AWS End User Messaging", _aws_sms),
        TransportEntry("sns_sms", "sms", "Amazon SNS, for accounts without End User Messaging", _sns_sms),
        TransportEntry("aws_voice", "voice", "AWS End User Messaging", _aws_voice),
        TransportEntry("letter", "letter", "a mail-merge file for a print house", _letter),
        TransportEntry("webhook", "webhook", "signed calls to a system of your own", _webhook),
    )
}
CHANNELS = tuple(dict.fromkeys(entry.channel for entry in TRANSPORTS.values()))


class Transports(Mapping[str, Transport]):
    """A transport by channel ("email"), or by channel and name ("email:smtp"): see `Envelope.route`.

    It goes through the channels alone. Each transport is made when it is first asked for, so that nobody pays for a
    provider's library without need; safe for threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chosen = choose_transports(settings)
        self._made: dict[str, Transport] = {}
        self._lock = Lock()

    def __getitem__(self, route: str) -> Transport:
        channel, _, name = route.partition(":")
        if channel not in self._chosen:
            raise KeyError(route)
        with self._lock:
            if route not in self._made:
                self._made[route] = self._make(channel, name or self._chosen[channel])
            return self._made[route]

    def __iter__(self) -> Iterator[str]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def close(self) -> None:
        """Let go of connections that transports keep; a transport that is asked again opens new ones."""
        with self._lock:
            made = list(self._made.values())
        for transport in made:
            if isinstance(transport, Closeable):
                transport.close()

    def _make(self, channel: str, name: str) -> Transport:
        if self._settings.capture_folder is not None:
            from delivery.providers.capture import CaptureTransport

            return CaptureTransport(channel, self._settings.capture_folder)
        try:
            return check_ready(name, channel, self._settings).create(self._settings)
        except InputError as error:
            return _Unready(name[:20], channel, str(error))


def create_transports(settings: Settings) -> Transports:
    """What serves each channel. Raises InputError when POSTILION_TRANSPORTS names what there is not, or lacks."""
    transports = Transports(settings)
    if settings.capture_folder is None:
        for channel, name in choose_transports(settings).items():
            check_ready(name, channel, settings)
    return transports


def choose_transports(settings: Settings) -> dict[str, str]:
    """The name of each channel's transport. Raises InputError for a name that there is not."""
    chosen = {channel: next(one.name for one in TRANSPORTS.values() if one.channel == channel) for channel in CHANNELS}
    for channel, name in settings.chosen_transports.items():
        if channel not in chosen:
            hint = did_you_mean(channel, CHANNELS) or f"channels are {', '.join(CHANNELS)}"
            raise InputError(f"POSTILION_TRANSPORTS names a channel {channel!r} that there is not: {hint}.")
        chosen[channel] = get_entry(name, channel).name
    return chosen


def get_entry(name: str, channel: str) -> TransportEntry:
    """The transport called `name`. Raises InputError when there is none, or it serves another channel."""
    entry = TRANSPORTS.get(name)
    if entry is None or entry.channel != channel:
        fitting = [one.name for one in TRANSPORTS.values() if one.channel == channel]
        hint = did_you_mean(name, fitting) or f"write {' or '.join(fitting)}"
        raise InputError(f"there is no transport {name!r} for {channel}: {hint}.")
    return entry


def check_ready(name: str, channel: str, settings: Settings) -> TransportEntry:
    """The transport called `name`. Raises InputError when there is none, or a setting that it needs is missing."""
    entry = get_entry(name, channel)
    if entry.needs and not getattr(settings, entry.needs):
        raise InputError(f"the transport {entry.name} needs POSTILION_{entry.needs.upper()}: set it.")
    return entry


@dataclass(frozen=True, slots=True)
class _Unready:
    """Stands where a sender names a transport that cannot work: the sender pauses with the cause, and no mail fails."""

    name: str
    channel: str
    cause: str

    def send(self, envelope: Envelope) -> Accepted:
        raise TransportError(Reaction.PAUSE_SENDER, "TransportNotReady", self.cause)

    def read_rate(self) -> float | None:
        return None
