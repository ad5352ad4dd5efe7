"""The list of checks, in the order in which they are shown: what others stand on goes first."""

from __future__ import annotations

from collections.abc import Sequence

from console.doctor import (
    broken_imports,
    cursor_positions,
    database_state,
    dns_hints,
    erasures_to_replay,
    failing_webhooks,
    free_disk,
    journey_engine,
    key_file,
    key_store,
    machine_clock,
    memberships,
    permissions,
    publication,
    reader_role,
    revision,
    rights_deadlines,
    segment_snapshot,
    ses_account,
    ses_senders,
    standing_pauses,
    transports,
    zone_data,
)
from console.doctor.examine import Check

_WITH_BOTO3_S = 15.0  # loading it takes seconds on a small machine; its calls give up after five each

CHECKS: Sequence[Check] = (
    Check("workspace key", key_file.examine),
    Check("key store", key_store.examine),
    Check("permissions", permissions.examine),
    Check("clock", machine_clock.examine),
    Check("time zones", zone_data.examine),
    Check("database", database_state.examine),
    Check("tables", revision.examine),
    Check("reading role", reader_role.examine),
    Check("cursors", cursor_positions.examine),
    Check("free disk", free_disk.examine),
    Check("published files", publication.examine),
    Check("pauses", standing_pauses.examine),
    Check("memberships", memberships.examine),
    Check("journeys", journey_engine.examine),
    Check("snapshot", segment_snapshot.examine),
    Check("webhooks", failing_webhooks.examine),
    Check("imports and events", broken_imports.examine),
    Check("privacy requests", rights_deadlines.examine),
    Check("erasures", erasures_to_replay.examine),
    Check("transports", transports.examine),
    Check("SES account", ses_account.examine, _WITH_BOTO3_S),
    Check("SES senders", ses_senders.examine, _WITH_BOTO3_S),
    Check("DNS hints", dns_hints.examine, _WITH_BOTO3_S),
)
