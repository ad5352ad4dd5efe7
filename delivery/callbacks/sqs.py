"""An SQS queue of reports: long polling, and deletion in batches. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from core.database import batches
from core.errors import TransientError
from delivery.providers.aws import create_client

_AT_ONCE = 10  # SQS's own limit, for receiving and for deleting
_CONNECTIONS = 4
_VISIBILITY_S = 60  # what nobody has deleted by then is handed out again


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """`receipt` deletes it; `receive_count` says how often it was handed out, this time included."""

    id: str
    receipt: str
    body: str = field(repr=False)
    receive_count: int


class SqsQueue:
    """The queue at `url`; used by one thread. Raises TransientError when SQS does not answer."""

    def __init__(self, url: str, *, region: str, endpoint_url: str = "", wait_s: int = 20) -> None:
        self._url = url
        self._wait_s = wait_s
        self._client = create_client(
            "sqs", region=region, endpoint_url=endpoint_url, connections=_CONNECTIONS, read_timeout_s=wait_s + 10
        )
        self._pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="sqs")

    def receive(self, limit: int) -> list[QueuedMessage]:
        """Wait for a message, up to `wait_s`; then take what else is there at once, about `limit` in all."""
        messages = self._receive(self._wait_s)
        while messages and len(messages) < limit:
            more = [one for some in self._pool.map(self._receive, [0] * _CONNECTIONS) for one in some]
            messages += more
            if len(more) < _AT_ONCE * _CONNECTIONS:
                break
        return messages

    def delete(self, messages: Sequence[QueuedMessage]) -> int:
        """Delete them; answers how many SQS would not delete, which are handed out again."""
        return sum(self._pool.map(self._delete, batches(messages, _AT_ONCE)))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _receive(self, wait_s: int) -> list[QueuedMessage]:
        answer = self._ask(
            "receive_message",
            MaxNumberOfMessages=_AT_ONCE,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=_VISIBILITY_S,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [_read(one) for one in answer.get("Messages") or ()]

    def _delete(self, messages: Sequence[QueuedMessage]) -> int:
        entries = [{"Id": str(place), "ReceiptHandle": one.receipt} for place, one in enumerate(messages)]
        return len(self._ask("delete_message_batch", Entries=entries).get("Failed") or ())

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(QueueUrl=self._url, **arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            raise TransientError(f"the queue {self._url} cannot be used: SQS answered {code}.") from error
        except BotoCoreError as error:
            raise TransientError(f"the queue {self._url} cannot be used ({type(error).__name__}).") from error
        return answer


def _read(one: dict[str, Any]) -> QueuedMessage:
    count = (one.get("Attributes") or {}).get("ApproximateReceiveCount", "1")
    return QueuedMessage(one["MessageId"], one["ReceiptHandle"], one["Body"], int(count))
