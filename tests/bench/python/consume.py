"""Consumes orders with pika and pydantic: an ack for each, and where asked, one confirmed message published for each.

python consume.py URL QUEUE PREFETCH [publish]
"""

import sys
from typing import Annotated, Literal

import pika
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Name = Annotated[str, Field(min_length=1, max_length=64)]


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    sku: Name
    quantity: Annotated[int, Field(ge=1)]
    price: Annotated[float, Field(ge=0)]


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: Name
    customer: Name
    currency: Literal["EUR", "USD", "GBP", "CHF"]
    lines: Annotated[list[Line], Field(min_length=1)]
    note: str
    fail: bool = False


class Accepted(BaseModel):
    order: Name


def main() -> None:
    url, queue, prefetch, *publish = sys.argv[1:]
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.basic_qos(prefetch_count=int(prefetch))
    if publish:
        channel.confirm_delivery()

    def handle(channel, method, properties, body):
        try:
            order = Order.model_validate_json(body)
        except ValidationError:
            channel.basic_reject(method.delivery_tag, requeue=False)
            return
        # It fails once.
        if order.fail and not method.redelivered:
            channel.basic_reject(method.delivery_tag, requeue=True)
            return
        if publish:
            accepted = Accepted(order=order.id).model_dump_json()
            properties = pika.BasicProperties(
                content_type="application/json", delivery_mode=2, message_id=order.id
            )
            # Returns when it is confirmed, and raises if it is not.
            channel.basic_publish("out", "accepted", accepted, properties, mandatory=True)
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, handle)
    channel.start_consuming()


main()
