"""Takes any signed request to its service and operation, and brings the answer, the refusal or the
misbehaviour back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sandbox.account import Account
from sandbox.wire import kms, ses_operations, sms, sns, sqs
from sandbox.wire.authorisation import signed_service
from sandbox.wire.operations import Operation
from sandbox.wire.protocols import AWS_JSON, QUERY, REST_JSON, AwsError, Call, Protocol

DROP_EXTENSION = "sandbox.drop"
"""The ASGI extension by which a server lets the application close the connection without an answer."""

_BROKEN = AwsError("InternalServiceErrorException", "The service failed on purpose.", 500)


@dataclass(frozen=True, slots=True)
class Service:
    protocol: Protocol
    find: Callable[[Request, bytes], tuple[Operation, Mapping[str, str]]]


def _by_target(
    operations: Mapping[str, Operation],
) -> Callable[[Request, bytes], tuple[Operation, Mapping[str, str]]]:
    def find(request: Request, _body: bytes) -> tuple[Operation, Mapping[str, str]]:
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
        return _known(operations, name), {}

    return find


def _by_action(request: Request, body: bytes) -> tuple[Operation, Mapping[str, str]]:
    arguments = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)) or dict(request.query_params)
    return _known(sns.OPERATIONS, arguments.get("Action", "")), arguments


def _by_path(request: Request, _body: bytes) -> tuple[Operation, Mapping[str, str]]:
    # The undecoded path, because an address in it may contain an encoded slash.
    raw_path: bytes = request.scope["raw_path"]
    operation, arguments = ses_operations.find(request.method, raw_path.decode().partition("?")[0])
    return operation, {**dict(request.query_params), **arguments}


def _known(operations: Mapping[str, Operation], name: str) -> Operation:
    if name not in operations:
        raise AwsError("", f"The sandbox does not offer the operation {name or 'without a name'}.")
    return operations[name]


SERVICES = {
    "ses": Service(REST_JSON, _by_path),
    "sns": Service(QUERY, _by_action),
    "sqs": Service(AWS_JSON, _by_target(sqs.OPERATIONS)),
    "sms-voice": Service(AWS_JSON, _by_target(sms.OPERATIONS)),
    "kms": Service(AWS_JSON, _by_target(kms.OPERATIONS)),
}


async def answer_aws(request: Request) -> Response:
    """The endpoint of everything that boto3 calls."""
    try:
        service = _service(signed_service(request.headers.get("authorization")))
    except AwsError as error:
        return REST_JSON.refuse(error)
    return await answer_service(request, service)


def _service(name: str) -> Service:
    if name not in SERVICES:
        raise AwsError("UnknownServiceException", f"The sandbox does not offer the service {name}.", 404)
    return SERVICES[name]


async def answer_service(request: Request, service: Service) -> Response:
    protocol = service.protocol
    try:
        body = await request.body()
    except ClientDisconnect:  # nobody is left to answer, and nothing was accepted
        return Response(status_code=400)
    try:
        operation, arguments = service.find(request, body)
        call = Call(operation.name, arguments, body, str(request.base_url).rstrip("/"))
        account: Account = request.app.state.account
        if operation.sends:
            return await _misbehaving(request, account, operation, call, protocol)
        return protocol.answer(call, await operation.handle(account, call))
    except AwsError as error:
        error.code = error.code or protocol.unknown
        return protocol.refuse(error)
    except msgspec.DecodeError as error:  # malformed JSON, and JSON of the wrong shape
        return protocol.refuse(AwsError(protocol.invalid, f"The request cannot be read: {error}"))


async def _misbehaving(
    request: Request, account: Account, operation: Operation, call: Call, protocol: Protocol
) -> Response:
    behaviour, dice = account.behaviour, account.dice
    if behaviour.latency_ms:
        await asyncio.sleep(behaviour.latency_ms / 1000)
    if dice.falls("error_before", behaviour.error_before):
        raise _BROKEN
    document = await operation.handle(account, call)
    if dice.falls("drop_reply", behaviour.drop_reply):
        await _drop(request)
    if dice.falls("error_after", behaviour.error_after):
        raise _BROKEN
    return protocol.answer(call, document)


async def _drop(request: Request) -> None:
    """Close the connection and wait until the server has noticed, so that it sends nothing of its own."""
    request.scope["extensions"][DROP_EXTENSION]["close"]()
    while (await request.receive())["type"] != "http.disconnect":
        pass
