"""Runs in the sandbox and looks at what is there. The tests of Warren hand it a message; `test_*.py` beside it are the
unit tests of the SDK, in CPython outside."""

import datetime
import logging
import random
import sys
import uuid
from dataclasses import dataclass

from warren_guest import Message, handler, log, publish

AT_LOAD = random.random()
logger = logging.getLogger("checks")


@dataclass
class Task:
    exit: bool = False
    value: bool = False
    header: bool = False
    broken: bool = False


@handler
def look(task: Task, message: Message):
    if task.exit:
        sys.exit(0)
    if task.value:
        return 7
    if task.header:
        publish("report", {}, headers={"large": 2**63})
    if task.broken:
        logger.info("%s and %s", "one")
    logger.info("seen by %s", "logging", extra={"n": 1})
    logger.debug("not lost")
    try:
        {}["missing"]
    except KeyError:
        logger.exception("caught")
    log.debug("half a surrogate pair \ud800", field="\udc00")
    publish(
        "report",
        {
            "random": [random.random(), random.random()],
            "atLoad": AT_LOAD,
            "uuid": str(uuid.uuid4()),
            "year": datetime.datetime.now(datetime.timezone.utc).year,
            "attempt": message.attempt,
        },
    )
