"""The host, as the SDK sees it: the component's own, or a double in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ._publish import Outgoing


class Host(Protocol):
    """What wit/handler.wit lets a handler ask for."""

    def publish(self, publisher: str, message: Outgoing) -> str: ...

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None: ...


_current: Host | None = None


def current() -> Host:
    """The host of the call under way."""
    if _current is None:
        raise RuntimeError("there is no host here: call the handler with `call` of warren_guest.testing")
    return _current


def use(host: Host | None) -> Host | None:
    """Puts a host in place, and gives the one before."""
    global _current
    before, _current = _current, host
    return before
