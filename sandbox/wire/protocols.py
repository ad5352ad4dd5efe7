"""How AWS writes an answer and an error in each of its protocols: REST-JSON, awsJson and query.

SES v2 names an error in the header `x-amzn-errortype`, awsJson in `__type`, query in an XML `Code`; boto3
picks the exception class by exactly these.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from xml.sax.saxutils import escape

import msgspec
from starlette.responses import Response

Document = Mapping[str, Any]
Shape = TypeVar("Shape")


class AwsError(Exception):
    """A refusal as AWS words it. `fields` go beside the message where the protocol has room for them."""

    def __init__(self, code: str, message: str, status: int = 400, fields: Document | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields or {}


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `arguments` come from path, query or form, `body` is JSON where there is one."""

    operation: str
    arguments: Mapping[str, str]
    body: bytes
    base_url: str

    def read(self, decoder: msgspec.json.Decoder[Shape]) -> Shape:
        """The body as a shape. Raises msgspec.ValidationError or msgspec.DecodeError."""
        return decoder.decode(self.body or b"{}")

    def argument(self, name: str) -> str:
        if not (value := self.arguments.get(name)):
            raise AwsError("InvalidParameter", f"Invalid parameter: {name} is missing.")
        return value


@dataclass(frozen=True, slots=True)
class Protocol:
    """`invalid` and `unknown` are the codes for a malformed request and an operation that is not offered."""

    answer: Callable[[Call, Document], Response]
    refuse: Callable[[AwsError], Response]
    invalid: str
    unknown: str


def _rest_json_answer(_call: Call, document: Document) -> Response:
    return Response(msgspec.json.encode(document), headers=_request_id("application/json"))


def _rest_json_refusal(error: AwsError) -> Response:
    headers = _request_id("application/json") | {"x-amzn-errortype": error.code}
    return Response(msgspec.json.encode({"message": error.message}), error.status, headers)


def _aws_json_answer(_call: Call, document: Document) -> Response:
    return Response(msgspec.json.encode(document), headers=_request_id("application/x-amz-json-1.0"))


def _aws_json_refusal(error: AwsError) -> Response:
    document = {"__type": error.code, "Message": error.message, "message": error.message, **error.fields}
    headers = _request_id("application/x-amz-json-1.0")
    if query_code := error.fields.get("QueryErrorCode"):
        headers["x-amzn-query-error"] = f"{query_code};Sender"
    return Response(msgspec.json.encode(document), error.status, headers)


def _query_answer(call: Call, document: Document) -> Response:
    name, request_id = call.operation, str(uuid.uuid4())
    xml = (
        f'<{name}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
        f"<{name}Result>{_xml(document)}</{name}Result>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return Response(xml, media_type="text/xml", headers={"x-amzn-RequestId": request_id})


def _query_refusal(error: AwsError) -> Response:
    request_id = str(uuid.uuid4())
    xml = (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error>'
        f"<Type>{'Sender' if error.status < 500 else 'Receiver'}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(xml, error.status, media_type="text/xml", headers={"x-amzn-RequestId": request_id})


def _xml(value: object) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(inner)}</member>" for inner in value)
    if isinstance(value, tuple):  # a map, as pairs
        return "".join(f"<entry><key>{_xml(key)}</key><value>{_xml(inner)}</value></entry>" for key, inner in value)
    return escape(str(value))


def _request_id(content_type: str) -> dict[str, str]:
    return {"content-type": content_type, "x-amzn-RequestId": str(uuid.uuid4())}


REST_JSON = Protocol(_rest_json_answer, _rest_json_refusal, "BadRequestException", "UnknownOperationException")
AWS_JSON = Protocol(_aws_json_answer, _aws_json_refusal, "ValidationException", "UnknownOperationException")
QUERY = Protocol(_query_answer, _query_refusal, "InvalidParameter", "InvalidAction")
