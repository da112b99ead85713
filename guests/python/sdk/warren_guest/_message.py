"""The message, as a handler sees it: the record of wit/handler.wit with a few questions it can be asked."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Mapping, TypeVar, Union, overload

from ._failure import Permanent
from ._payload import Misfit, reader

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Timestamp:
    """An AMQP timestamp: seconds since 1970-01-01T00:00:00Z."""

    seconds: int


@dataclasses.dataclass(frozen=True)
class Nested:
    """An AMQP array or table, as JSON text."""

    json: str


#: A value of an AMQP header. Its Python type is its AMQP type, so that a header that is passed on stays what it is.
HeaderValue = Union[None, bool, int, float, str, bytes, Timestamp, Nested]
Headers = Mapping[str, HeaderValue]


@dataclasses.dataclass(frozen=True)
class Message:
    """A message, and where this handing-over of it stands. The defaults are for tests."""

    body: bytes = b""
    content_type: str | None = None
    #: As they were published, without the bookkeeping of broker and host.
    headers: Headers = dataclasses.field(default_factory=dict)
    #: Exchange and routing key are the original ones, also after a retry.
    exchange: str = "in"
    routing_key: str = "task"
    queue: str = "work"
    consumer: str = "worker"
    message_id: str = "m-1"
    correlation_id: str | None = None
    #: The id of the message whose handling published this one.
    causation_id: str | None = None
    reply_to: str | None = None
    message_type: str | None = None
    app_id: str | None = None
    priority: int | None = None
    #: In seconds since 1970-01-01T00:00:00Z.
    timestamp: int | None = None
    #: 1 the first time.
    attempt: int = 1
    max_attempts: int = 1
    #: The broker's hint that the message may have been handed over before.
    redelivered: bool = False
    #: How long this call may take.
    deadline_ms: int = 5000

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure of this attempt is final."""
        return self.attempt >= self.max_attempts

    def text(self, header: str) -> str | None:
        """A header that is text; names are case-sensitive."""
        value = self.headers.get(header)
        return value if isinstance(value, str) else None

    @overload
    def json(self, wanted: type[T]) -> T: ...

    @overload
    def json(self) -> Any: ...

    def json(self, wanted: Any = Any) -> Any:
        """The body as JSON that fits a type. Raises `Permanent` if it does not."""
        try:
            value = json.loads(self.body.decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise Permanent(f"payload: the body is not JSON: {error}") from error
        try:
            return reader(wanted)(value, "")
        except Misfit as misfit:
            raise Permanent(f"payload: {misfit}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is Python, not JSON")
