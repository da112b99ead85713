"""The component's export, between the bindings that componentize-py makes and the SDK. Imported in a component only."""

from __future__ import annotations

from typing import Any, Callable

import wit_world.exports  # type: ignore[import-not-found]
from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.imports import logging as host_logging  # type: ignore[import-not-found]
from wit_world.imports import publisher as host_publisher
from wit_world.imports import types

from . import _host
from ._failure import Failure, RateLimited, refusal
from ._handler import explain, the_one
from ._log import take_over_logging, well_formed
from ._message import Message, Nested, Timestamp
from ._publish import Outgoing


class _Host:
    def publish(self, publisher: str, message: Outgoing) -> str:
        fields = {**vars(message), "headers": [(name, _header(value)) for name, value in message.headers.items()]}
        try:
            published: str = host_publisher.publish(publisher, types.Outgoing(**fields))
            return published
        except Err as error:
            tag = _REFUSALS[type(error.value)]
            raise refusal(publisher, tag, getattr(error.value, "value", None)) from None

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        host_logging.log(_LEVELS[level], message, fields)


_LEVELS = {level.name.lower(): level for level in host_logging.Level}
_REFUSALS = {
    types.PublishError_UnknownPublisher: "unknown-publisher",
    types.PublishError_NotGranted: "not-granted",
    types.PublishError_Invalid: "invalid",
    types.PublishError_TooMany: "too-many",
    types.PublishError_TooLarge: "too-large",
}

_FROM_HOST: dict[Any, Callable[[Any], Any]] = {
    types.HeaderValue_Void: lambda value: None,
    types.HeaderValue_Timestamp: lambda value: Timestamp(value.value),
    types.HeaderValue_Nested: lambda value: Nested(value.value),
}


def _header(value: Any) -> Any:
    if value is None:
        return types.HeaderValue_Void()
    if isinstance(value, bool):
        return types.HeaderValue_Boolean(value)
    if isinstance(value, int):
        return types.HeaderValue_Integer(value)
    if isinstance(value, float):
        return types.HeaderValue_Float(value)
    if isinstance(value, str):
        return types.HeaderValue_Text(well_formed(value))
    if isinstance(value, bytes):
        return types.HeaderValue_Bytes(value)
    if isinstance(value, Timestamp):
        return types.HeaderValue_Timestamp(value.seconds)
    return types.HeaderValue_Nested(value.json)


def _message(record: Any) -> Message:
    headers = {}
    for name, value in record.headers:
        special = _FROM_HOST.get(type(value))
        headers[name] = special(value) if special else value.value
    return Message(**{**vars(record), "headers": headers})


def _variant(failure: Failure) -> Any:
    why = well_formed(failure.why)
    if isinstance(failure, RateLimited):
        return types.Failure_RateLimited(types.RateLimit(failure.retry_after_ms, why))
    return _FAILURES[failure.kind](why)


_FAILURES = {
    "permanent": types.Failure_Permanent,
    "transient": types.Failure_Transient,
    "unauthorized": types.Failure_Unauthorized,
}

_handler = the_one()
_host.use(_Host())
take_over_logging()


class Consumer(wit_world.exports.Consumer):  # type: ignore[misc]
    """The export of the world `handler`."""

    def handle(self, message: Any) -> None:
        try:
            failure = _handler.run(_message(message))
        # What is raised from here is a trap, with its traceback on stderr.
        except Exception as error:
            explain(error)
            raise
        # `sys.exit(0)` in a handler must not look like success.
        except BaseException as error:
            explain(error)
            raise RuntimeError(f"handler raised {type(error).__name__}: {error}") from error
        if failure is not None:
            raise Err(_variant(failure))
