"""Looks at the sandbox from within, for the tests of Warren: reports all of the message that it was given, with the same
headers, or does what the task says. `test_*.py` beside it are the unit tests of the SDK, in CPython outside."""

import datetime
import logging
import random
import sys
import uuid
from dataclasses import dataclass

from warren_guest import Message, Nested, Timestamp, handler, log, publish

AT_LOAD = random.random()
logger = logging.getLogger("checks")


@dataclass
class Body:
    task: str = ""


@handler
def check(body: Body, message: Message):
    if body.task == "look":
        look()
    elif body.task == "exit":
        sys.exit(0)
    elif body.task == "value":
        return 7
    elif body.task == "header":
        publish("echoed", {}, headers={"large": 2**63})
    else:
        report(message)


def look() -> None:
    logger.info("seen by %s", "logging", extra={"n": 1})
    logger.debug("not lost")
    logger.info("%s and %s", "one")
    try:
        {}["missing"]
    except KeyError:
        logger.exception("caught")
    print("said by print")
    log.debug("half a surrogate pair \ud800", field="\udc00")
    numbers = [random.random(), random.random()]
    year = datetime.datetime.now(datetime.timezone.utc).year
    publish("echoed", {"random": numbers, "atLoad": AT_LOAD, "uuid": str(uuid.uuid4()), "year": year})


def report(message: Message) -> None:
    told = {camel(name): value for name, value in vars(message).items() if name != "headers"}
    told["body"] = message.body.decode()
    told["headers"] = {name: named(value) for name, value in message.headers.items()}
    publish(
        "echoed",
        told,
        headers=message.headers,
        correlation_id="its own",
        message_type="report",
        reply_to="nobody",
        expiration_ms=600_000,
        priority=7,
    )


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def named(value):
    """The case of a header value in front of it."""
    if value is None:
        return "void"
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, Timestamp):
        return {"timestamp": value.seconds}
    if isinstance(value, Nested):
        return {"nested": value.json}
    return {{bool: "boolean", int: "integer", float: "float", str: "text"}[type(value)]: value}
