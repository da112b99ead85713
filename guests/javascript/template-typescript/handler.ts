// A complete handler, to copy: a typed payload, every kind of failure, a publish with headers, a log line.

import {
    handler, type Infer, integer, log, type Message, object, optional, Permanent, publish, PublishRefused, RateLimited,
    string, Transient, Unauthorized,
} from "warren-guest";

const order = object({
    orderId: string,
    amount: integer, // in cents
    customer: string,
    note: optional(string),
});
type Order = Infer<typeof order>;

// A body that is not an order is a permanent failure before this is called.
export default handler(order, accept);

function accept({ orderId, amount, customer, note }: Order, message: Message): undefined {
    if (amount <= 0) throw new Permanent("amount must be positive");
    if (customer === "busy") throw new RateLimited("customer is busy", { retryAfterMs: 1500 });
    if (customer === "flaky" && message.attempt < 2) throw new Transient("try again");
    if (customer === "forbidden") throw new Unauthorized("not our customer");
    // Any other error is a bug, and a trap: retried within the contract's bound, then dead-lettered with its stack.
    if (customer === "crash") throw new TypeError("the handler has a bug");
    if (customer === "unlisted") audit(orderId);
    log.info("order accepted", { orderId, amount });
    publish("orderAccepted", { orderId, amount, customer, attempt: message.attempt, note }, {
        headers: { source: "template", tenant: message.text("tenant") },
    });
}

// `auditTrail` is in the contract, but not granted to this consumer.
function audit(orderId: string): void {
    try {
        publish("auditTrail", { orderId });
    } catch (error) {
        if (!(error instanceof PublishRefused)) throw error;
        throw new Permanent(`publishing was refused: ${error.reason}`);
    }
}
