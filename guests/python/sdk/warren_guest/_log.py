"""Log lines with fields, and the `logging` module of the standard library, which goes to the same place.

The host adds consumer, queue, message id and attempt.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Mapping

from . import _host

_TRACE = 5


class _Log:
    """``log.info("order accepted", orderId=order_id)``"""

    def trace(self, message: object, /, **fields: object) -> None:
        _write("trace", message, fields)

    def debug(self, message: object, /, **fields: object) -> None:
        _write("debug", message, fields)

    def info(self, message: object, /, **fields: object) -> None:
        _write("info", message, fields)

    def warn(self, message: object, /, **fields: object) -> None:
        _write("warn", message, fields)

    def error(self, message: object, /, **fields: object) -> None:
        _write("error", message, fields)


log = _Log()


def _write(level: str, message: object, fields: Mapping[str, object]) -> None:
    pairs = [(well_formed(name), well_formed(str(value))) for name, value in fields.items()]
    _host.current().log(level, well_formed(str(message)), pairs)


def well_formed(text: str) -> str:
    """Half of a surrogate pair cannot be said in UTF-8, and what cannot be said would be a trap without a reason."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()


#: What every record has; what else one has, somebody gave it as `extra`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _ToHost(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name not in _USUAL}
        if record.name != "root":
            fields["logger"] = record.name
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = "".join(traceback.format_exception(record.exc_info[1])).strip()
        try:
            message = record.getMessage()
        except Exception:
            self.handleError(record)
        else:
            _write(_level(record.levelno), message, fields)

    def handleError(self, record: logging.LogRecord) -> None:
        # As `logging` itself, it does not fail the handler over a log line with a mistake in it.
        fields = {"logger": record.name, "line": f"{record.pathname}:{record.lineno}", "arguments": repr(record.args)}
        _write("error", f"cannot be logged: {record.msg!r}: {sys.exc_info()[1]}", fields)


def _level(number: int) -> str:
    for least, level in ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (logging.DEBUG, "debug")):
        if number >= least:
            return level
    return "trace"


def take_over_logging() -> None:
    """Sends what is logged with `logging` to the host, which decides by its own level what is kept."""
    root = logging.getLogger()
    if not any(isinstance(handler, _ToHost) for handler in root.handlers):
        root.handlers = [_ToHost()]
        root.setLevel(_TRACE)
        logging.addLevelName(_TRACE, "TRACE")
