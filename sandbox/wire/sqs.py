"""SQS: queues, sending, long polling, deletion."""

from __future__ import annotations

import asyncio
import time
from hashlib import md5
from typing import Any

import msgspec

from core.clock import to_micros
from sandbox.account import Account
from sandbox.feedback.queues import VISIBILITY_SECONDS, Queue, QueueMessage
from sandbox.wire.operations import Operation
from sandbox.wire.protocols import AwsError, Call, Document

MAX_RECEIVED = 10
LONGEST_WAIT_SECONDS = 20
POLL_SECONDS = 0.02


class _Named(msgspec.Struct, rename="pascal"):
    queue_name: str
    attributes: dict[str, str] = {}


class _Addressed(msgspec.Struct, rename="pascal"):
    queue_url: str


class _Attributes(_Addressed, rename="pascal"):
    attributes: dict[str, str] = {}


class _Send(_Addressed, rename="pascal"):
    message_body: str


class _Receive(_Addressed, rename="pascal"):
    max_number_of_messages: int = 1
    visibility_timeout: int | None = None
    wait_time_seconds: int = 0


class _Delete(_Addressed, rename="pascal"):
    receipt_handle: str


class _BatchEntry(msgspec.Struct, rename="pascal"):
    id: str
    receipt_handle: str


class _DeleteBatch(_Addressed, rename="pascal"):
    entries: list[_BatchEntry]


_named, _addressed = msgspec.json.Decoder(_Named), msgspec.json.Decoder(_Addressed)
_attributes = msgspec.json.Decoder(_Attributes)
_send, _receive = msgspec.json.Decoder(_Send), msgspec.json.Decoder(_Receive)
_delete, _delete_batch = msgspec.json.Decoder(_Delete), msgspec.json.Decoder(_DeleteBatch)


async def create_queue(account: Account, call: Call) -> Document:
    request = call.read(_named)
    arn = account.arn("sqs", request.queue_name)
    visibility_s = int(request.attributes.get("VisibilityTimeout", VISIBILITY_SECONDS))
    account.queues.setdefault(arn, Queue(request.queue_name, arn, visibility_s))
    return {"QueueUrl": _url(account, call, request.queue_name)}


async def get_queue_url(account: Account, call: Call) -> Document:
    name = call.read(_named).queue_name
    _queue(account, name)
    return {"QueueUrl": _url(account, call, name)}


async def get_queue_attributes(account: Account, call: Call) -> Document:
    queue = _queue(account, call.read(_addressed).queue_url)
    visible, hidden = queue.counts(time.monotonic())
    return {
        "Attributes": {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "VisibilityTimeout": str(queue.visibility_s),
            **({"Policy": queue.policy} if queue.policy else {}),
        }
    }


async def set_queue_attributes(account: Account, call: Call) -> Document:
    request = call.read(_attributes)
    queue = _queue(account, request.queue_url)
    queue.policy = request.attributes.get("Policy", queue.policy)
    queue.visibility_s = int(request.attributes.get("VisibilityTimeout", queue.visibility_s))
    return {}


async def send_message(account: Account, call: Call) -> Document:
    request = call.read(_send)
    message_id = _queue(account, request.queue_url).put(request.message_body, to_micros(account.clock.now()) // 1000)
    return {"MessageId": message_id, "MD5OfMessageBody": _md5(request.message_body)}


async def receive_message(account: Account, call: Call) -> Document:
    request = call.read(_receive)
    queue = _queue(account, request.queue_url)
    limit = max(1, min(request.max_number_of_messages, MAX_RECEIVED))
    until_s = time.monotonic() + min(request.wait_time_seconds, LONGEST_WAIT_SECONDS)
    while not (messages := queue.receive(limit, request.visibility_timeout, time.monotonic())):
        if time.monotonic() >= until_s:
            return {}
        await asyncio.sleep(POLL_SECONDS)
    return {"Messages": [_message_document(message) for message in messages]}


async def delete_message(account: Account, call: Call) -> Document:
    request = call.read(_delete)
    _queue(account, request.queue_url).delete(request.receipt_handle)
    return {}


async def delete_message_batch(account: Account, call: Call) -> Document:
    request = call.read(_delete_batch)
    queue = _queue(account, request.queue_url)
    for entry in request.entries:
        queue.delete(entry.receipt_handle)
    return {"Successful": [{"Id": entry.id} for entry in request.entries], "Failed": []}


def _queue(account: Account, url_or_name: str) -> Queue:
    queue = account.queues.get(account.arn("sqs", url_or_name.rpartition("/")[2]))
    if queue is None:
        raise AwsError(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "The specified queue does not exist.",
            fields={"QueryErrorCode": "AWS.SimpleQueueService.NonExistentQueue"},
        )
    return queue


def _url(account: Account, call: Call, name: str) -> str:
    return f"{call.base_url}/{account.options.account_id}/{name}"


def _message_document(message: QueueMessage) -> dict[str, Any]:
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
        "Attributes": {
            "SentTimestamp": str(message.sent_at_ms),
            "ApproximateReceiveCount": str(message.receive_count),
        },
    }


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("CreateQueue", create_queue),
        Operation("GetQueueUrl", get_queue_url),
        Operation("GetQueueAttributes", get_queue_attributes),
        Operation("SetQueueAttributes", set_queue_attributes),
        Operation("SendMessage", send_message),
        Operation("ReceiveMessage", receive_message),
        Operation("DeleteMessage", delete_message),
        Operation("DeleteMessageBatch", delete_message_batch),
    )
}
