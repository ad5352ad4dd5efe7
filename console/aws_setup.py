"""What the published workspace and the settings want of an AWS account: the plan of `postilion setup ses`."""

from __future__ import annotations

from enum import StrEnum

from console.doctor.ses_senders import mail_senders
from core.errors import InputError
from core.settings import Settings
from customers.workspace import Workspace
from delivery.providers.ses_setup import Wanted

_CALLBACK = "/v1/callbacks/ses"


class WayBack(StrEnum):
    """How reports come to us."""

    HTTPS = "https"
    SQS = "sqs"


def wanted_of(workspace: Workspace, settings: Settings, way_back: WayBack | None = None) -> Wanted:
    """What the account shall have. Without `way_back` reports come over https where we are reachable so, else by SQS.

    Raises InputError when nothing can be set up yet.
    """
    senders = mail_senders(workspace)
    if not senders:
        raise InputError("workspace.yaml has no sender of e-mail: add one under `senders` and apply it.")
    sets = sorted({sender.configuration_set for sender in senders if sender.configuration_set})
    if len(sets) < len({sender.configuration_set or "" for sender in senders}):
        bare = next(
            name for name, sender in workspace.senders.items() if sender in senders and not sender.configuration_set
        )
        raise InputError(
            f"the sender '{bare}' names no configuration set, and nobody would hear of its bounces: "
            "add `configuration_set: NAME` to it (one for marketing, another for transactional mail) and apply it."
        )
    public = settings.public_url.rstrip("/")
    is_reachable = public.startswith("https://") or bool(settings.aws_endpoint_url)
    if way_back is WayBack.HTTPS and not is_reachable:
        raise InputError(f"POSTILION_PUBLIC_URL is {public}, and SNS only calls https: set it, or choose --by sqs.")
    if way_back is None:
        way_back = WayBack.HTTPS if is_reachable and not settings.sqs_queue else WayBack.SQS
    name = f"postilion-{workspace.slug}"
    return Wanted(
        topic=name,
        configuration_sets=sets,
        domains=sorted({sender.address.rpartition("@")[2].lower() for sender in senders}),
        endpoint=f"{public}{_CALLBACK}" if way_back is WayBack.HTTPS else None,
        queue=(settings.sqs_queue.rpartition("/")[2] or name) if way_back is WayBack.SQS else None,
    )
