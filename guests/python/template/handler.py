"""A complete handler, to copy: a typed payload, every kind of failure, a publish with headers, a log line."""

from dataclasses import dataclass
from typing import Annotated

from warren_guest import (
    Key,
    Message,
    Permanent,
    PublishRefused,
    RateLimited,
    Transient,
    Unauthorized,
    handler,
    log,
    publish,
)


@dataclass(frozen=True)
class Order:
    order_id: Annotated[str, Key("orderId")]
    amount: int  # in cents
    customer: str
    note: str | None = None


# A body that is not an order is a permanent failure before this is called.
@handler
def accept(order: Order, message: Message) -> None:
    if order.amount <= 0:
        raise Permanent("amount must be positive")
    if order.customer == "busy":
        raise RateLimited("customer is busy", retry_after_ms=1500)
    if order.customer == "flaky" and message.attempt < 2:
        raise Transient("try again")
    if order.customer == "forbidden":
        raise Unauthorized("not our customer")
    if order.customer == "crash":
        # Any other exception is a bug, and a trap: retried within the contract's bound, then dead-lettered with its traceback.
        raise TypeError("the handler has a bug")
    if order.customer == "unlisted":
        audit(order)
    log.info("order accepted", orderId=order.order_id, amount=order.amount)
    accepted = {
        "orderId": order.order_id,
        "amount": order.amount,
        "customer": order.customer,
        "attempt": message.attempt,
    }
    if order.note is not None:
        accepted["note"] = order.note
    headers = {"source": "template"}
    if (tenant := message.text("tenant")) is not None:
        headers["tenant"] = tenant
    publish("orderAccepted", accepted, headers=headers)


def audit(order: Order) -> None:
    """`auditTrail` is in the contract, but not granted to this consumer."""
    try:
        publish("auditTrail", {"orderId": order.order_id})
    except PublishRefused as refused:
        raise Permanent(f"publishing was refused: {refused.reason}") from refused
