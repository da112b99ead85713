"""Calls a handler without a host, for unit tests."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Callable, Mapping

from . import _handler, _host
from ._failure import Failure, refusal
from ._message import Message
from ._publish import Outgoing


@dataclasses.dataclass(frozen=True)
class Published:
    """What the host would have been asked to publish."""

    publisher: str
    message: Outgoing

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.message.body)


@dataclasses.dataclass(frozen=True)
class Logged:
    level: str
    message: str
    fields: dict[str, str]


@dataclasses.dataclass
class Called:
    """What came of a call."""

    #: None if the message was handled. An exception that is no failure (a trap) is raised by `call`.
    failure: Failure | None = None
    #: Empty after a failure, as in the host.
    published: list[Published] = dataclasses.field(default_factory=list)
    logs: list[Logged] = dataclasses.field(default_factory=list)


class _Double:
    def __init__(self, refuse: Mapping[str, Any]) -> None:
        self.refuse = refuse
        self.called = Called()

    def publish(self, publisher: str, message: Outgoing) -> str:
        if publisher in self.refuse:
            why = self.refuse[publisher]
            raise refusal(publisher, *(why if isinstance(why, tuple) else (why,)))
        self.called.published.append(Published(publisher, message))
        return f"id-{len(self.called.published)}"

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        self.called.logs.append(Logged(level, message, dict(fields)))


def call(
    handler: Callable[..., Any], body: object = None, *, refuse: Mapping[str, Any] | None = None, **message: Any
) -> Called:
    """Hands a message to a function that is decorated with `@handler`.

    The body is JSON, unless it is `bytes`. `message` is what else is to be in the `Message`: `headers={"tenant": "a"}`,
    `attempt=2`. `refuse` names publishers that the host is to refuse, with why: `{"audit": "not-granted"}`,
    `{"audit": ("invalid", ["`a` is required"])}`.
    """
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    double = _Double(refuse or {})
    before = _host.use(double)
    try:
        failure = _handler.of(handler).run(Message(body=content, **message))
    finally:
        _host.use(before)
    double.called.failure = failure
    if failure is not None:
        double.called.published.clear()
    return double.called
