"""What the gateway's answers make of a charge."""

import unittest

from handler import take
from warren_guest.testing import call

CHARGE = {"orderId": "o-1", "userId": "u", "amountCents": 1890, "currency": "EUR", "token": "tok_ok"}


class Take(unittest.TestCase):
    def test_a_payment_is_settled(self) -> None:
        called = call(take, CHARGE)
        self.assertIsNone(called.failure)
        [published] = called.published
        self.assertEqual(published.publisher, "paymentSettled")
        settled = {key: CHARGE[key] for key in ("orderId", "userId", "amountCents", "currency")}
        self.assertEqual(published.json, {**settled, "type": "paymentSettled", "attempts": 1})

    def test_a_busy_gateway_is_asked_again(self) -> None:
        busy = {**CHARGE, "token": "tok_busy"}
        self.assertEqual(call(take, busy, attempt=2).failure.kind, "transient")
        self.assertEqual(call(take, busy, attempt=3).published[0].json["attempts"], 3)

    def test_what_the_gateway_refuses_is_permanent(self) -> None:
        for token in ("tok_declined", "tok_unknown"):
            self.assertEqual(call(take, {**CHARGE, "token": token}).failure.kind, "permanent")
        self.assertRaises(ValueError, call, take, {**CHARGE, "token": "tok_crash"})


if __name__ == "__main__":
    unittest.main()
