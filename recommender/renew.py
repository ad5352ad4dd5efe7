"""Making a rule set at the edge: mine while only reading, then write in one short transaction."""

from __future__ import annotations

from core.runtime import Runtime
from recommender.parameters import RuleParameters
from recommender.publish import RuleSet, mine_rules, publish_rules
from recommender.published import get_index, rules_folder


def renew_rules(runtime: Runtime, parameters: RuleParameters | None = None) -> RuleSet:
    """Mine all orders up to now and publish the rules if they are good enough; nobody waits for the mining."""
    with runtime.database.read() as connection:
        mined = mine_rules(connection, runtime.clock.now(), parameters or RuleParameters())
    with runtime.database.transaction() as connection:
        result = publish_rules(connection, mined)
    with runtime.database.read() as connection:
        get_index(connection, rules_folder(runtime.settings))  # its file is ready before anybody asks
    return result
