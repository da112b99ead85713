"""A handler of `wasi:messaging@0.2.0-draft` in Python. It does what the message says, as the Rust one does."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import producer
from wit_world.imports.types import (
    Client,
    Error_Connection,
    Error_Other,
    Error_PermissionDenied,
    Error_Timeout,
    Message,
)

seen = 0


class IncomingHandler(exports.IncomingHandler):
    def handle(self, message: Message) -> None:
        global seen
        seen += 1
        order = json.loads(message.data())
        match order["do"]:
            case "succeed":
                pass
            case "report":
                send(
                    order["to"],
                    {
                        "topic": message.topic(),
                        "contentType": message.content_type(),
                        "metadata": message.metadata(),
                        "seen": seen,
                    },
                )
            case "publish":
                for _ in range(order.get("times", 1)):
                    send(order["to"], order["body"])
            case "fail":
                raise Err(failure(order["how"], order.get("reason", "")))
            case "publish-and-fail":
                send(order["to"], {})
                raise Err(Error_Timeout())
            case "loop":
                while True:
                    pass
            case other:
                raise NotImplementedError(other)


def failure(how: str, reason: str) -> object:
    match how:
        case "timeout":
            return Error_Timeout()
        case "connection":
            return Error_Connection(reason)
        case "permission-denied":
            return Error_PermissionDenied(reason)
        case _:
            return Error_Other(reason)


def send(topic: str, body: object) -> None:
    message = Message(json.dumps(body).encode())
    message.set_content_type("application/json")
    message.add_metadata("written-by", "wasi-messaging in Python")
    producer.send(Client.connect("any"), topic, message)
