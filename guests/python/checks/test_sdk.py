"""What the SDK makes of Python's habits."""

from __future__ import annotations

import enum
import logging
import unittest
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional

from warren_guest import (
    Failure,
    Key,
    Message,
    Nested,
    Permanent,
    PublishRefused,
    RateLimited,
    Timestamp,
    Transient,
    handler,
    log,
    publish,
)
from warren_guest._log import take_over_logging, well_formed
from warren_guest.testing import Logged, call


class Kind(enum.Enum):
    NEW = "new"
    OLD = "old"


@dataclass
class Line:
    price: float
    count: int = 1


@dataclass
class Order:
    order_id: Annotated[str, Key("orderId")]
    lines: list[Line]
    kind: Kind = Kind.NEW
    size: Literal["s", "m"] | None = None
    parent: Optional[int] = None
    extra: dict[str, bool] = field(default_factory=dict)
    id_or_name: int | str = 0
    anything: Any = None


SEEN: list[Order] = []


@handler
def keeps(order: Order) -> None:
    SEEN.append(order)


@handler
def anything(payload: object, message: Message) -> Any:
    return DO[0](message)


@handler
def raw(message: Message) -> None:
    SEEN.append(message)  # type: ignore[arg-type]


DO: list[Any] = [None]


def does(work: Any, **options: Any):
    DO[0] = work
    return call(anything, **options)


def misfit(body: object) -> str:
    return str(call(keeps, body).failure)


class Payloads(unittest.TestCase):
    def test_json_becomes_the_dataclass(self) -> None:
        SEEN.clear()
        body = {"orderId": "o", "lines": [{"price": 1}], "kind": "old", "size": "m", "parent": None, "unknown": 1}
        self.assertIsNone(call(keeps, {**body, "extra": {"a": True}, "id_or_name": "x"}).failure)
        self.assertEqual(SEEN, [Order("o", [Line(1.0)], Kind.OLD, "m", None, {"a": True}, "x")])

    def test_what_does_not_fit_says_where(self) -> None:
        order = {"orderId": "o", "lines": []}
        for change, text in [
            ({"lines": [{"price": 1}, {"price": "1"}]}, 'lines[1].price: expected a number, found the string "1"'),
            ({"lines": [{}]}, "lines[0].price: expected a value, found nothing"),
            ({"lines": {}}, "lines: expected a list, found an object"),
            ({"orderId": None}, "orderId: expected a string, found null"),
            ({"kind": "other"}, 'kind: expected one of new, old, found the string "other"'),
            ({"size": 1}, "size: expected one of s, m, found the number 1"),
            ({"parent": True}, "parent: expected an integer, found true"),
            ({"parent": 1.5}, "parent: expected an integer, found the number 1.5"),
            ({"extra": {"a": 1}}, "extra.a: expected true or false, found the number 1"),
            ({"id_or_name": []}, "id_or_name: expected int or str, found a list"),
        ]:
            self.assertEqual(misfit({**order, **change}), f"payload: {text}")
        self.assertEqual(misfit([]), "payload: expected an object, found a list")

    def test_what_is_not_json_is_a_permanent_failure(self) -> None:
        for body in [b"", b"\xff", b"NaN", b"[" * 100_000, b"{'a': 1}"]:
            failure = call(keeps, body).failure
            assert isinstance(failure, Permanent)
            self.assertTrue(failure.why.startswith("payload: the body is not JSON"), failure.why)

    def test_a_message_may_be_taken_as_bytes(self) -> None:
        SEEN.clear()
        self.assertIsNone(call(raw, b"\xff").failure)
        self.assertEqual([message.body for message in SEEN], [b"\xff"])  # type: ignore[attr-defined]

    def test_a_type_that_json_has_not_is_refused_when_the_handler_is_made(self) -> None:
        def wants_a_set(payload: set) -> None: ...

        self.assertRaisesRegex(TypeError, "set.* cannot be read from JSON", handler, wants_a_set)


class Handlers(unittest.TestCase):
    def test_a_coroutine_is_refused(self) -> None:
        async def waits(payload: object) -> None: ...

        def yields(payload: object):
            yield 1

        self.assertRaisesRegex(TypeError, "nobody would await", handler, waits)
        self.assertRaisesRegex(TypeError, "run a generator", handler, yields)

        async def later() -> None: ...

        self.assertRaisesRegex(TypeError, "nobody would await", does, lambda _: later())

    def test_a_function_of_another_shape_is_refused(self) -> None:
        def none() -> None: ...

        def untyped(payload) -> None: ...

        self.assertRaisesRegex(TypeError, "take the payload", handler, none)
        self.assertRaisesRegex(TypeError, "of what type", handler, untyped)

    def test_a_failure_may_be_raised_or_returned_and_anything_else_is_a_mistake(self) -> None:
        def fails(_: Message) -> None:
            raise RateLimited("busy", retry_after_ms=0.1)

        failure = does(fails).failure
        assert isinstance(failure, RateLimited)
        self.assertEqual(failure.retry_after_ms, 1)
        self.assertEqual(does(lambda _: Transient("later")).failure.kind, "transient")
        self.assertRaisesRegex(TypeError, "returned True", does, lambda _: True)
        self.assertRaises(TypeError, Failure, "of no class")

    def test_nothing_is_published_by_a_call_that_fails(self) -> None:
        def publishes(_: Message) -> Failure:
            publish("x", {})
            return Permanent("no")

        self.assertEqual(does(publishes).published, [])


class Publishing(unittest.TestCase):
    def test_headers_keep_their_types(self) -> None:
        headers = {"n": None, "b": True, "i": 1, "f": 2.0, "t": "x", "y": b"\xff", "w": Timestamp(5), "j": Nested("[1]")}
        [published] = does(lambda m: publish("x", {}, headers=m.headers) and None, headers=headers).published
        self.assertEqual(published.message.headers, headers)
        self.assertIs(type(published.message.headers["b"]), bool)
        [own] = does(lambda _: publish("x", {}, headers={"l": [1, {"a": 2}]}) and None).published  # type: ignore[dict-item]
        self.assertEqual(own.message.headers, {"l": Nested('[1, {"a": 2}]')})

    def test_a_dataclass_is_published_by_the_names_of_its_keys(self) -> None:
        [published] = does(lambda _: publish("x", Order("o", [Line(1)], size="s")) and None).published
        self.assertEqual(published.json["orderId"], "o")
        self.assertEqual((published.json["kind"], published.json["lines"]), ("new", [{"price": 1, "count": 1}]))
        [raw_bytes] = does(lambda _: publish("x", b"\xff") and None).published
        self.assertEqual(raw_bytes.message.body, b"\xff")

    def test_what_cannot_be_published_says_so_before_the_host_would_trap(self) -> None:
        for options, error in [
            ({"headers": {"n": 2**63}}, ValueError),
            ({"headers": {"n": object()}}, TypeError),
            ({"headers": {1: "n"}}, TypeError),
            ({"priority": 256}, ValueError),
            ({"expiration_ms": -1}, ValueError),
            ({"routing_key": 1}, TypeError),
        ]:
            self.assertRaises(error, does, lambda _, options=options: publish("x", {}, **options))
        for payload in [object(), float("nan"), "\ud800"]:
            failure = does(lambda _, payload=payload: publish("x", payload)).failure
            self.assertEqual(failure.kind, "permanent")

    def test_a_refusal_is_a_permanent_failure_that_can_be_caught(self) -> None:
        failure = does(lambda _: publish("x", {}), refuse={"x": ("invalid", ["`a` is required"])}).failure
        assert isinstance(failure, PublishRefused)
        self.assertTrue(failure.why.endswith("the contract: `a` is required"), failure.why)
        failure = does(lambda _: publish("x", {}), refuse={"x": "not-granted"}).failure
        self.assertEqual(failure.reason, "not granted")


class Logging(unittest.TestCase):
    def test_fields_are_texts(self) -> None:
        called = does(lambda _: log.warn("odd", n=1, message_id=None))
        self.assertEqual(called.logs, [Logged("warn", "odd", {"n": "1", "message_id": "None"})])

    def test_the_standard_logging_goes_to_the_host(self) -> None:
        root = logging.getLogger()
        before = root.handlers, root.level

        def logs(_: Message) -> None:
            try:
                raise ValueError("inner")
            except ValueError:
                logging.getLogger("shop").exception("caught %s", "it", extra={"order": 7})
            logging.debug("small")
            logging.info("%s and %s", "one")

        try:
            take_over_logging()
            first, second, third = does(logs).logs
        finally:
            root.handlers, root.level = before
        self.assertEqual((first.level, first.message), ("error", "caught it"))
        self.assertEqual((first.fields["order"], first.fields["logger"]), ("7", "shop"))
        self.assertTrue(first.fields["exception"].endswith("ValueError: inner"))
        self.assertEqual(second, Logged("debug", "small", {}))
        self.assertEqual(third.message, "cannot be logged: '%s and %s': not enough arguments for format string")

    def test_half_a_surrogate_pair_is_replaced(self) -> None:
        self.assertEqual(well_formed("a\ud800b"), "a?b")


if __name__ == "__main__":
    unittest.main()
