"""A handler of `wasmcloud:messaging@0.2.0` in Python. It does what the message says, as the Rust one does."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import consumer
from wit_world.imports.types import BrokerMessage

seen = 0


class Handler(exports.Handler):
    def handle_message(self, msg: BrokerMessage) -> None:
        global seen
        seen += 1
        order = json.loads(msg.body)
        match order["do"]:
            case "succeed":
                pass
            case "report":
                publish(order["to"], {"subject": msg.subject, "replyTo": msg.reply_to, "seen": seen})
            case "publish":
                for _ in range(order.get("times", 1)):
                    publish(order["to"], order["body"])
            case "reply":
                publish(msg.reply_to or "", order["body"])
            case "request":
                consumer.request(order["to"], b"{}", 100)
            case "fail":
                raise Err(order["reason"])
            case "publish-and-fail":
                publish(order["to"], {})
                raise Err("after publishing")
            case "loop":
                while True:
                    pass
            case other:
                raise NotImplementedError(other)


def publish(subject: str, body: object) -> None:
    consumer.publish(BrokerMessage(subject, json.dumps(body).encode(), None))
