"""Sets an AWS account up to send and to report: topic, way back, configuration sets, identities. Idempotent.

Looking and doing are one walk, so that the plan says what `apply` does. It adds what is missing and corrects what bears
its own name; what somebody else made is told about and left alone. DNS is nobody's here: its records are printed by who
calls. Raises TransportError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.providers.aws import as_transport_error, create_client

DESTINATION = "postilion"  # the event destination of each configuration set
EVENTS = ("BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY", "REJECT", "RENDERING_FAILURE", "SEND")
_REWRITING = frozenset({"OPEN", "CLICK"})  # with them SES puts its own pixel in and rewrites our links
_MISSING = frozenset({"NotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "NotFound"})
_VISIBILITY_S = "120"
_KEPT_S = str(14 * 24 * 3600)  # SQS's longest: reports outlive a fortnight's outage
_PENDING = "PendingConfirmation"


class Standing(StrEnum):
    """How one part of the account stands; of a plan `missing` and `differs` are what applying would do."""

    STANDS = "stands"
    MISSING = "missing"
    DIFFERS = "differs"
    MADE = "made"
    CHANGED = "changed"
    ATTENTION = "attention"  # a person has to look


@dataclass(frozen=True, slots=True)
class Part:
    kind: str
    name: str
    standing: Standing
    remark: str = ""

    @property
    def is_open(self) -> bool:
        return self.standing in (Standing.MISSING, Standing.DIFFERS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the account shall have. Reports come to `endpoint` (a URL), or into `queue` (a name) where there is none."""

    topic: str
    configuration_sets: Sequence[str]
    domains: Sequence[str]
    endpoint: str | None = None
    queue: str | None = None


@dataclass(slots=True)
class SesSetup:
    """One walk over an account, or over the sandbox at `endpoint_url`. Afterwards `topic_arn` and `queue_url` are known
    where they exist.
    """

    region: str
    endpoint_url: str = ""
    topic_arn: str | None = None
    queue_url: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    def walk(self, wanted: Wanted, *, apply: bool = False) -> Iterator[Part]:
        """Each part and how it stands; with `apply` what is missing is made at once, in this order."""
        yield self._topic(wanted.topic, apply)
        if wanted.queue:
            yield from self._queue(wanted.queue, apply)
        if wanted.endpoint:
            yield self._subscription(wanted.endpoint.partition(":")[0], wanted.endpoint, apply)
        for name in wanted.configuration_sets:
            yield from self._configuration_set(name, apply)
        for domain in wanted.domains:
            yield self._identity(domain, apply)

    # -- the topic and the way back -----------------------------------------------------------------------------

    def _topic(self, name: str, apply: bool) -> Part:
        arn = self._find_topic(name)
        standing = Standing.STANDS if arn else Standing.MISSING
        if arn is None and apply:
            arn = str(self._ask("sns", "create_topic", Name=name, Attributes={"SignatureVersion": "2"})["TopicArn"])
            standing = Standing.MADE
        self.topic_arn = arn
        if arn is not None:
            attributes = self._ask("sns", "get_topic_attributes", TopicArn=arn)["Attributes"]
            policy = _with_statement(attributes.get("Policy", ""), _ses_may_publish(arn))
            if policy is not None and apply:
                self._ask("sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
                standing = Standing.CHANGED if standing is Standing.STANDS else standing
            elif policy is not None:
                standing = Standing.DIFFERS
        remark = "SES may not publish to it yet" if standing is Standing.DIFFERS else ""
        return Part("SNS topic", name, standing, remark)

    def _find_topic(self, name: str) -> str | None:
        token: dict[str, str] = {}
        while True:
            page = self._ask("sns", "list_topics", **token)
            for topic in page.get("Topics", ()):
                if str(topic["TopicArn"]).rpartition(":")[2] == name:
                    return str(topic["TopicArn"])
            if not page.get("NextToken"):
                return None
            token = {"NextToken": page["NextToken"]}

    def _queue(self, name: str, apply: bool) -> Iterator[Part]:
        found = self._find("sqs", "get_queue_url", QueueName=name)
        standing = Standing.STANDS if found else Standing.MISSING
        if found is None and apply:
            attributes = {"VisibilityTimeout": _VISIBILITY_S, "MessageRetentionPeriod": _KEPT_S}
            found = self._ask("sqs", "create_queue", QueueName=name, Attributes=attributes)
            standing = Standing.MADE
        if found is None or self.topic_arn is None:
            yield Part("SQS queue", name, standing)
            yield Part("subscription", f"sqs {name}", Standing.MISSING)
            return
        self.queue_url = url = str(found["QueueUrl"])
        asked = self._ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn", "Policy"])
        arn, written = asked["Attributes"]["QueueArn"], asked["Attributes"].get("Policy", "")
        policy = _with_statement(written, _topic_may_send(self.topic_arn, arn))
        if policy is not None and apply:
            self._ask("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})
            standing = Standing.CHANGED if standing is Standing.STANDS else standing
        elif policy is not None:
            standing = Standing.DIFFERS
        yield Part("SQS queue", name, standing)
        yield self._subscription("sqs", arn, apply)

    def _subscription(self, protocol: str, endpoint: str, apply: bool) -> Part:
        kind, name = "subscription", f"{protocol} {endpoint}"
        if self.topic_arn is None:
            return Part(kind, name, Standing.MISSING)
        for one in self._subscriptions(self.topic_arn):
            if (one.get("Protocol"), one.get("Endpoint")) == (protocol, endpoint):
                if one.get("SubscriptionArn") == _PENDING:
                    text = "not confirmed: Postilion does so while it runs and the topic stands in POSTILION_SNS_TOPICS"
                    if apply:  # SNS then asks for the confirmation again
                        self._subscribe(protocol, endpoint)
                    return Part(kind, name, Standing.ATTENTION, text)
                return Part(kind, name, Standing.STANDS)
        if not apply:
            return Part(kind, name, Standing.MISSING)
        self._subscribe(protocol, endpoint)
        return Part(kind, name, Standing.MADE)

    def _subscribe(self, protocol: str, endpoint: str) -> None:
        raw = {"RawMessageDelivery": "false"}  # the signature stands in the envelope
        self._ask("sns", "subscribe", TopicArn=self.topic_arn, Protocol=protocol, Endpoint=endpoint, Attributes=raw)

    def _subscriptions(self, topic_arn: str) -> Iterator[Mapping[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._ask("sns", "list_subscriptions_by_topic", TopicArn=topic_arn, **token)
            yield from page.get("Subscriptions", ())
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    # -- SES ----------------------------------------------------------------------------------------------------

    def _configuration_set(self, name: str, apply: bool) -> Iterator[Part]:
        kind, given = "configuration set", {"ConfigurationSetName": name}
        if self._find("sesv2", "get_configuration_set", **given) is None:
            if not apply:
                yield Part(kind, name, Standing.MISSING)
                yield Part("event destination", f"{name}/{DESTINATION}", Standing.MISSING)
                return
            options = {"ReputationOptions": {"ReputationMetricsEnabled": True}}
            self._ask("sesv2", "create_configuration_set", **given, **options)
            yield Part(kind, name, Standing.MADE)
        else:
            yield Part(kind, name, Standing.STANDS)
        listed = self._ask("sesv2", "get_configuration_set_event_destinations", **given)
        destinations = {str(one["Name"]): one for one in listed.get("EventDestinations") or ()}
        yield self._destination(name, destinations.pop(DESTINATION, None), apply)
        for other, document in sorted(destinations.items()):
            if document.get("Enabled") and _REWRITING & set(document.get("MatchingEventTypes") or ()):
                text = "it tracks opens or clicks, so SES rewrites links: take these events out, Postilion has its own"
                yield Part("event destination", f"{name}/{other}", Standing.ATTENTION, text)

    def _destination(self, configuration_set: str, found: Mapping[str, Any] | None, apply: bool) -> Part:
        kind, name = "event destination", f"{configuration_set}/{DESTINATION}"
        standing = Standing.MISSING if found is None else Standing.DIFFERS
        if found is not None and self._is_ours(found):
            return Part(kind, name, Standing.STANDS)
        if apply:
            wanted = {
                "Enabled": True,
                "MatchingEventTypes": list(EVENTS),
                "SnsDestination": {"TopicArn": self.topic_arn},
            }
            verb, made = ("create", Standing.MADE) if found is None else ("update", Standing.CHANGED)
            self._ask(
                "sesv2",
                f"{verb}_configuration_set_event_destination",
                ConfigurationSetName=configuration_set,
                EventDestinationName=DESTINATION,
                EventDestination=wanted,
            )
            standing = made
        return Part(kind, name, standing)

    def _is_ours(self, document: Mapping[str, Any]) -> bool:
        return (
            bool(document.get("Enabled"))
            and set(document.get("MatchingEventTypes") or ()) == set(EVENTS)
            and (document.get("SnsDestination") or {}).get("TopicArn") == self.topic_arn
        )

    def _identity(self, domain: str, apply: bool) -> Part:
        found = self._find("sesv2", "get_email_identity", EmailIdentity=domain)
        standing = Standing.STANDS
        if found is None and not apply:
            return Part("identity", domain, Standing.MISSING)
        if found is None:
            found, standing = self._ask("sesv2", "create_email_identity", EmailIdentity=domain), Standing.MADE
        if not found.get("VerifiedForSendingStatus"):
            text = "not verified: publish its DNS records"
            return Part("identity", domain, standing if standing is Standing.MADE else Standing.ATTENTION, text)
        return Part("identity", domain, standing)

    # -- calls --------------------------------------------------------------------------------------------------

    def _find(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        try:
            return self._ask(service, operation, **arguments)
        except _MissingError:
            return None

    def _ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        if service not in self._clients:
            self._clients[service] = create_client(
                service, region=self.region, endpoint_url=self.endpoint_url, connections=1
            )
        try:
            answer: dict[str, Any] = getattr(self._clients[service], operation)(**arguments)
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2] in _MISSING:
                raise _MissingError from None
            raise as_transport_error(error) from error
        except BotoCoreError as error:
            raise as_transport_error(error) from error
        return answer


class _MissingError(Exception):
    """Nothing there is called so."""


def _with_statement(policy: str, statement: Mapping[str, Any]) -> str | None:
    """`policy` with our statement in it, beside those of others; None when it stands there already."""
    document: dict[str, Any] = json.loads(policy) if policy else {"Version": "2012-10-17", "Statement": []}
    statements = document.get("Statement") or []
    listed = statements if isinstance(statements, list) else [statements]
    if statement in listed:
        return None
    others = [one for one in listed if one.get("Sid") != statement["Sid"]]
    return json.dumps({**document, "Statement": [*others, statement]})


def _ses_may_publish(topic_arn: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/dg/configure-sns-notifications.html: for this account's sets alone."""
    _arn, partition, _sns, region, account, _name = topic_arn.split(":")
    sets = f"arn:{partition}:ses:{region}:{account}:configuration-set/*"
    return {
        "Sid": "PostilionSes",
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"AWS:SourceAccount": account}, "ArnLike": {"AWS:SourceArn": sets}},
    }


def _topic_may_send(topic_arn: str, queue_arn: str) -> dict[str, Any]:
    return {
        "Sid": "PostilionSns",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
