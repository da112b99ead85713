"""Publishing through the publishers that the contract grants."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from . import _host
from ._failure import Permanent
from ._message import Headers, Nested, Timestamp
from ._payload import plain

_U32_MAX = 0xFFFF_FFFF
_I64 = range(-(2**63), 2**63)


@dataclasses.dataclass(frozen=True)
class Outgoing:
    """A message to publish; what is None, the host sets."""

    body: bytes
    content_type: str | None
    headers: dict[str, Any]
    routing_key: str | None
    correlation_id: str | None
    message_type: str | None
    reply_to: str | None
    expiration_ms: int | None
    priority: int | None


def publish(
    publisher: str,
    payload: object,
    *,
    content_type: str | None = None,
    headers: Headers | None = None,
    routing_key: str | None = None,
    correlation_id: str | None = None,
    message_type: str | None = None,
    reply_to: str | None = None,
    expiration_ms: float | None = None,
    priority: int | None = None,
) -> str:
    """Puts a message into the outbox of this call and returns the message id it will have.

    The payload is written as JSON (dataclasses too), or as it is if it is `bytes`. The host sends it when the handler
    has returned, and drops it if that fails. Raises `PublishRefused`.
    """
    texts = {
        "publisher": publisher,
        "content_type": content_type,
        "routing_key": routing_key,
        "correlation_id": correlation_id,
        "message_type": message_type,
        "reply_to": reply_to,
    }
    for name, value in texts.items():
        if value is not None and not isinstance(value, str) or value is None and name == "publisher":
            raise TypeError(f"{name} has to be a str, not {type(value).__name__}")
    message = Outgoing(
        body=_body(payload),
        content_type=content_type,
        headers={name: _header(name, value) for name, value in (headers or {}).items()},
        routing_key=routing_key,
        correlation_id=correlation_id,
        message_type=message_type,
        reply_to=reply_to,
        expiration_ms=_whole("expiration_ms", expiration_ms, _U32_MAX),
        priority=_whole("priority", priority, 255),
    )
    return _host.current().publish(publisher, message)


def _body(payload: object) -> bytes:
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload)
    try:
        text = json.dumps(payload, default=plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError) as error:
        raise Permanent(f"the payload to publish cannot be written as JSON: {error}") from error


def _whole(name: str, value: float | None, most: int) -> int | None:
    if value is None:
        return None
    rounded = math.ceil(value)
    if not 0 <= rounded <= most:
        raise ValueError(f"{name} is {value}, and has to be from 0 to {most}")
    return rounded


# A value that the host cannot take would be a trap that says only where in the interpreter it happened.
def _header(name: object, value: object) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"the name of a header is a str, not {type(name).__name__}")
    if isinstance(value, int) and not isinstance(value, bool) and value not in _I64:
        raise ValueError(f"the header `{name}` is {value}, which does not fit into 64 bits")
    if isinstance(value, (list, dict)):
        return Nested(json.dumps(value, default=plain, allow_nan=False))
    if value is None or isinstance(value, (bool, int, float, str, bytes, Timestamp, Nested)):
        return value
    raise TypeError(f"the header `{name}` cannot be a {type(value).__name__}")
