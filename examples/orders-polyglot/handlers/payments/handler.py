"""`takePayment`: charges an order to its card, and says so.

Keeps nothing, not even a count of its attempts: the message brings that with it. The message's id goes to the gateway as
idempotency key, so the customer pays once, however often the message is handled.
"""

from dataclasses import dataclass
from typing import Annotated

from warren_guest import Key, Message, Permanent, Transient, handler, log, publish


@dataclass(frozen=True)
class Charge:
    order_id: Annotated[str, Key("orderId")]
    user_id: Annotated[str, Key("userId")]
    amount_cents: Annotated[int, Key("amountCents")]
    currency: str
    token: str


@handler
def take(charge: Charge, message: Message) -> None:
    gateway(charge, message.message_id, message.attempt)
    publish(
        "paymentSettled",
        {
            "type": "paymentSettled",
            "orderId": charge.order_id,
            "userId": charge.user_id,
            "amountCents": charge.amount_cents,
            "currency": charge.currency,
            "attempts": message.attempt,
        },
    )


def gateway(charge: Charge, idempotency_key: str, attempt: int) -> None:
    """The client of a payment provider that is made up. As with real ones, test tokens say what it is to do."""
    log.debug(f"charging {charge.amount_cents} cents", idempotencyKey=idempotency_key)
    match charge.token:
        case "tok_ok":
            return
        case "tok_busy":
            if attempt < 3:
                raise Transient("the gateway is busy")
        case "tok_declined":
            raise Permanent("the card was declined")
        case "tok_hang":
            while True:
                pass  # waits for an answer that never comes
        case "tok_crash":
            raise ValueError("the gateway's answer makes no sense")
        case token:
            raise Permanent(f"the gateway does not know the token `{token}`")
