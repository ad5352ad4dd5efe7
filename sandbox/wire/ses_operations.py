"""The table of SES v2: method and path to operation."""

from __future__ import annotations

import re
from urllib.parse import unquote

from sandbox.wire import ses_send, ses_settings
from sandbox.wire.operations import Operation
from sandbox.wire.protocols import AwsError

_PREFIX = "/v2/email/"
_ROUTES = {
    "POST outbound-emails": Operation("SendEmail", ses_send.send_email, sends=True),
    "POST outbound-bulk-emails": Operation("SendBulkEmail", ses_send.send_bulk_email, sends=True),
    "GET account": Operation("GetAccount", ses_settings.get_account),
    "PUT suppression/addresses": Operation("PutSuppressedDestination", ses_settings.put_suppressed_destination),
    "GET suppression/addresses": Operation("ListSuppressedDestinations", ses_settings.list_suppressed_destinations),
    "GET suppression/addresses/{EmailAddress}": Operation(
        "GetSuppressedDestination", ses_settings.get_suppressed_destination
    ),
    "DELETE suppression/addresses/{EmailAddress}": Operation(
        "DeleteSuppressedDestination", ses_settings.delete_suppressed_destination
    ),
    "POST configuration-sets": Operation("CreateConfigurationSet", ses_settings.create_configuration_set),
    "GET configuration-sets/{ConfigurationSetName}": Operation(
        "GetConfigurationSet", ses_settings.get_configuration_set
    ),
    "POST configuration-sets/{ConfigurationSetName}/event-destinations": Operation(
        "CreateConfigurationSetEventDestination", ses_settings.create_event_destination
    ),
    "GET configuration-sets/{ConfigurationSetName}/event-destinations": Operation(
        "GetConfigurationSetEventDestinations", ses_settings.get_event_destinations
    ),
    "PUT configuration-sets/{ConfigurationSetName}/event-destinations/{EventDestinationName}": Operation(
        "UpdateConfigurationSetEventDestination", ses_settings.update_event_destination
    ),
    "POST identities": Operation("CreateEmailIdentity", ses_settings.create_email_identity),
    "GET identities/{EmailIdentity}": Operation("GetEmailIdentity", ses_settings.get_email_identity),
}
_PLAIN = {route: operation for route, operation in _ROUTES.items() if "{" not in route}
_PATTERNS = [
    (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route)), operation)
    for route, operation in _ROUTES.items()
    if "{" in route
]


def find(method: str, raw_path: str) -> tuple[Operation, dict[str, str]]:
    """The operation and what the path says. `raw_path` is still percent-encoded. Raises AwsError."""
    route = f"{method} {raw_path.removeprefix(_PREFIX).rstrip('/')}"
    if operation := _PLAIN.get(route):
        return operation, {}
    for pattern, operation in _PATTERNS:
        if found := pattern.fullmatch(route):
            return operation, {name: unquote(value) for name, value in found.groupdict().items()}
    raise AwsError("", f"The sandbox does not offer {method} {raw_path}.", 404)
