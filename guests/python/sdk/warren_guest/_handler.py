"""What a handler's module has, and how a message is handed to it."""

from __future__ import annotations

import inspect
import traceback
import typing
from typing import Any, Callable, Optional, TypeVar

from ._failure import Failure
from ._log import log
from ._message import Message
from ._payload import reader

#: What a handler returns: nothing, or a failure that could as well be raised.
Answer = Optional[Failure]
F = TypeVar("F", bound=Callable[..., Any])

_registered: list[Handler] = []


class Handler:
    """A function that handles messages, and the type that it wants the payload to be."""

    def __init__(self, work: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(work).parameters.values())
        if inspect.iscoroutinefunction(work) or inspect.isgeneratorfunction(work) or inspect.isasyncgenfunction(work):
            raise TypeError(f"`{work.__name__}` has to be a plain function: nobody would await a coroutine, or run a generator")
        if len(parameters) not in (1, 2):
            raise TypeError(f"`{work.__name__}` has to take the payload, and the message too if it wants it")
        hints = typing.get_type_hints(work)
        wanted = [hints.get(parameter.name) for parameter in parameters]
        if wanted[0] is None:
            raise TypeError(
                f"`{work.__name__}` has to say of what type its payload is, such as a dataclass, or `Message` for any bytes"
            )
        self.work = work
        self.takes_message = len(parameters) == 2
        self.payload: Any = wanted[0]
        if self.payload is not Message:
            # Here and now, when the component is built, and not with the first message.
            reader(self.payload)

    def run(self, message: Message) -> Answer:
        """Handles a message. Gives nothing, or the failure; raises what is neither."""
        try:
            payload = message if self.payload is Message else message.json(self.payload)
            answer = self.work(payload, message) if self.takes_message else self.work(payload)
        except Failure as failure:
            return failure
        if answer is None or isinstance(answer, Failure):
            return answer
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError("a handler is a plain function: nobody would await what this one returned")
        raise TypeError(f"a handler returns nothing, or a Failure; this one returned {answer!r}")


def handler(work: F) -> F:
    """Makes a function the handler of this component; once in a component.

    The function takes the payload, as a dataclass or another type that can be read from JSON, and the `Message` as a
    second argument if it wants it; or the `Message` alone, for bodies that are not JSON.
    """
    _registered.append(Handler(work))
    return work


def of(work: Callable[..., Any]) -> Handler:
    """The handler that was made of a function."""
    for known in _registered:
        if known.work is work:
            return known
    raise TypeError(f"{work!r} is not decorated with @handler")


def the_one() -> Handler:
    """The handler of the component."""
    if len(_registered) != 1:
        names = ", ".join(f"`{known.work.__name__}`" for known in _registered) or "none"
        raise TypeError(f"handler.py has to have one function decorated with @handler; there is {names}")
    return _registered[0]


def explain(error: BaseException) -> None:
    """Says in the log, which knows the message, what is about to be a trap."""
    text = "".join(traceback.format_exception(error)).strip()
    log.error(f"handler raised {type(error).__name__}: {error}", traceback=text)
