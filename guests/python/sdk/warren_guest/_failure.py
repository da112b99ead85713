"""What went wrong, in the words of the contract. Raised (or returned) by a handler; any other exception is a trap."""

from __future__ import annotations

import math

_U32_MAX = 0xFFFF_FFFF


class Failure(Exception):
    """Why a message was not handled: one of the subclasses."""

    #: What the contract's ``onFailure`` calls it, in the words of wit/handler.wit.
    kind = ""

    def __init__(self, why: object) -> None:
        if type(self) is Failure:
            raise TypeError("raise Permanent, Transient, RateLimited or Unauthorized")
        super().__init__(str(why))

    @property
    def why(self) -> str:
        """The text, for the log and the dead letter."""
        return str(self)


class Permanent(Failure):
    """No retry can help (the order does not exist, the amount is negative): dead-letter it now."""

    kind = "permanent"


class Transient(Failure):
    """A retry may help (a timeout, a lock, a restart): retry as the contract's policy says."""

    kind = "transient"


class Unauthorized(Failure):
    """We were not allowed to. Dead-letter it now, and tell a human."""

    kind = "unauthorized"


class RateLimited(Failure):
    """A retry will help, but not before the time given."""

    kind = "rate-limited"

    def __init__(self, why: object, *, retry_after_ms: float) -> None:
        super().__init__(why)
        if not retry_after_ms >= 0:
            raise ValueError(f"retry_after_ms is {retry_after_ms}; it cannot be negative")
        #: Rounded up, so that it is never shorter than asked.
        self.retry_after_ms = _U32_MAX if retry_after_ms > _U32_MAX else math.ceil(retry_after_ms)


class PublishRefused(Permanent):
    """The host does not take a message. Permanent, because another attempt would be refused too."""

    def __init__(self, publisher: str, reason: str, text: str) -> None:
        super().__init__(f"publisher `{publisher}` {text}")
        self.publisher = publisher
        #: ``unknown publisher``, ``not granted``, ``invalid``, ``too many`` or ``too large``.
        self.reason = reason


def refusal(publisher: str, tag: str, value: object = None) -> PublishRefused:
    """What a ``publish-error`` of wit/handler.wit means, and what to do about it."""
    if tag == "unknown-publisher":
        text = "is not in the contract; hint: add it to `publishers`, `events` or `commands`, or correct the name"
    elif tag == "not-granted":
        text = "is not granted to this consumer; hint: add it to the consumer's `publishes` in the contract"
    elif tag == "invalid":
        reasons = value if isinstance(value, list) else []
        text = f"refuses a message that does not satisfy the contract: {'; '.join(map(str, reasons))}"
    elif tag == "too-many":
        text = f"refuses more than {value} messages from one call"
    elif tag == "too-large":
        text = f"refuses more than {value} bytes, in one message or from one call"
    else:
        raise ValueError(f"{tag} is no publish-error")
    return PublishRefused(publisher, tag.replace("-", " "), text)
