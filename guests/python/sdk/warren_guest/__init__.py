"""Write a message handler for Warren: a dataclass, a function, and ``@handler``. See ../../README.md."""

from ._failure import Failure, Permanent, PublishRefused, RateLimited, Transient, Unauthorized
from ._handler import handler
from ._log import log
from ._message import Headers, HeaderValue, Message, Nested, Timestamp
from ._payload import Key
from ._publish import publish

__all__ = [
    "Failure",
    "HeaderValue",
    "Headers",
    "Key",
    "Message",
    "Nested",
    "Permanent",
    "PublishRefused",
    "RateLimited",
    "Timestamp",
    "Transient",
    "Unauthorized",
    "handler",
    "log",
    "publish",
]
