"""Unit tests of the handler: ``guests/python/build --test template``."""

import unittest

from handler import accept
from warren_guest import RateLimited
from warren_guest.testing import Logged, call

ORDER = {"orderId": "o-1", "amount": 1250, "customer": "ada"}


class Accept(unittest.TestCase):
    def test_an_order_is_accepted_and_told_on(self) -> None:
        called = call(accept, {**ORDER, "note": "für 🐇"}, headers={"tenant": "acme"})
        self.assertIsNone(called.failure)
        [published] = called.published
        self.assertEqual(published.publisher, "orderAccepted")
        self.assertEqual(published.json, {**ORDER, "attempt": 1, "note": "für 🐇"})
        self.assertEqual(published.message.headers, {"source": "template", "tenant": "acme"})
        self.assertEqual(called.logs, [Logged("info", "order accepted", {"orderId": "o-1", "amount": "1250"})])

    def test_what_is_no_order_is_a_permanent_failure_that_says_why(self) -> None:
        self.assertTrue(str(call(accept, b"<order/>").failure).startswith("payload: the body is not JSON"))
        text = 'payload: amount: expected an integer, found the string "12"'
        self.assertEqual(str(call(accept, {**ORDER, "amount": "12"}).failure), text)

    def test_each_customer_has_a_failure_of_its_own(self) -> None:
        def failure(customer: str, attempt: int = 1):
            return call(accept, {**ORDER, "customer": customer}, attempt=attempt).failure

        busy = failure("busy")
        assert isinstance(busy, RateLimited)
        self.assertEqual(busy.retry_after_ms, 1500)
        self.assertEqual(failure("flaky").kind, "transient")
        self.assertIsNone(failure("flaky", 2))
        self.assertEqual(failure("forbidden").kind, "unauthorized")
        self.assertRaises(TypeError, failure, "crash")

    def test_a_refusal_to_publish_is_a_permanent_failure(self) -> None:
        called = call(accept, {**ORDER, "customer": "unlisted"}, refuse={"auditTrail": "not-granted"})
        self.assertEqual(str(called.failure), "publishing was refused: not granted")


if __name__ == "__main__":
    unittest.main()
