"""From JSON to the dataclass that a handler works on, and why it does not fit."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from typing import Any, Callable

#: Reads a value at a path, or raises `Misfit`.
Reader = Callable[[Any, str], Any]


class Misfit(Exception):
    """A value that does not fit, and where."""

    def __init__(self, path: str, wanted: str, found: object) -> None:
        super().__init__(f"{path}: expected {wanted}, found {found}" if path else f"expected {wanted}, found {found}")


@dataclasses.dataclass(frozen=True)
class Key:
    """The name in JSON of a field that is called otherwise in Python: ``order_id: Annotated[str, Key("orderId")]``."""

    name: str


@functools.lru_cache(maxsize=None)
def json_names(wanted: Any) -> dict[str, str]:
    """What the fields of a dataclass are called in JSON."""
    hints = typing.get_type_hints(wanted, include_extras=True)
    names = {field.name: field.name for field in dataclasses.fields(wanted)}
    for name in names:
        keys = [extra for extra in getattr(hints[name], "__metadata__", ()) if isinstance(extra, Key)]
        if keys:
            names[name] = keys[0].name
    return names


def describe(value: object) -> str:
    """A value, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{value}"' if len(value) <= 40 else "a long string"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "an object"


def _plain(wanted: str, accepts: Callable[[Any], bool]) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not accepts(value):
            raise Misfit(path, wanted, describe(value))
        return value

    return read


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PLAIN: dict[Any, Reader] = {
    str: _plain("a string", lambda value: isinstance(value, str)),
    bool: _plain("true or false", lambda value: isinstance(value, bool)),
    # `True` is an int in Python, and is none in JSON.
    int: _plain("an integer", _is_integer),
    type(None): _plain("null", lambda value: value is None),
    Any: lambda value, _: value,
    object: lambda value, _: value,
    dict: _plain("an object", lambda value: isinstance(value, dict)),
    list: _plain("a list", lambda value: isinstance(value, list)),
}


def _number(value: Any, path: str) -> float:
    if not _is_integer(value) and not isinstance(value, float):
        raise Misfit(path, "a number", describe(value))
    return float(value)


@functools.lru_cache(maxsize=None)
def reader(wanted: Any) -> Reader:
    """What reads values of a type. Made once for each type, when the module is loaded."""
    if wanted in _PLAIN:
        return _PLAIN[wanted]
    if wanted is float:
        return _number
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _dataclass(wanted)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return _one_of([member.value for member in wanted], wanted)
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is list:
        return _list(reader(arguments[0]))
    if origin is dict and arguments[0] is str:
        return _dict(reader(arguments[1]))
    if origin is typing.Union or origin is types.UnionType:
        return _union(arguments)
    if origin is typing.Literal:
        return _one_of(list(arguments), lambda value: value)
    if origin is typing.Annotated:
        return reader(arguments[0])
    raise TypeError(
        f"{wanted} cannot be read from JSON; there are dataclasses, str, int, float, bool, None, Any, list[...], "
        "dict[str, ...], unions, Literal and Enum"
    )


def _one_of(values: list[Any], make: Callable[[Any], Any]) -> Reader:
    wanted = f"one of {', '.join(map(str, values))}"

    def read(value: Any, path: str) -> Any:
        if not any(value == known and type(value) is type(known) for known in values):
            raise Misfit(path, wanted, describe(value))
        return make(value)

    return read


def _list(item: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        items = _PLAIN[list](value, path)
        return [item(inner, f"{path}[{index}]") for index, inner in enumerate(items)]

    return read


def _dict(item: Reader) -> Reader:
    def read(value: Any, path: str) -> Any:
        items = _PLAIN[dict](value, path).items()
        return {name: item(inner, f"{path}.{name}" if path else name) for name, inner in items}

    return read


def _union(arguments: tuple[Any, ...]) -> Reader:
    if len(arguments) == 2 and type(None) in arguments:
        there = reader(next(argument for argument in arguments if argument is not type(None)))
        return lambda value, path: None if value is None else there(value, path)
    readers = [reader(argument) for argument in arguments]

    def read(value: Any, path: str) -> Any:
        for attempt in readers:
            try:
                return attempt(value, path)
            except Misfit:
                continue
        names = " or ".join(getattr(argument, "__name__", str(argument)) for argument in arguments)
        raise Misfit(path, names, describe(value))

    return read


def _dataclass(wanted: Any) -> Reader:
    hints = typing.get_type_hints(wanted)
    names = json_names(wanted)
    fields = []
    for field in dataclasses.fields(wanted):
        if field.init:
            has_default = (
                field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            )
            fields.append((field.name, names[field.name], reader(hints[field.name]), has_default))

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise Misfit(path, "an object", describe(value))
        # What the dataclass does not name is left out, so that a publisher may add to it.
        found = {}
        for name, json_key, item, has_default in fields:
            where = f"{path}.{json_key}" if path else json_key
            if json_key in value:
                found[name] = item(value[json_key], where)
            elif not has_default:
                raise Misfit(where, "a value", "nothing")
        return wanted(**found)

    return read


def plain(value: object) -> Any:
    """A payload to publish as `json.dumps` takes it: dataclasses by the names of their keys."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: getattr(value, name) for name, key in json_names(type(value)).items()}
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
