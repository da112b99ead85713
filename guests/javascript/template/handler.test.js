// Unit tests of the handler, in node: `guests/javascript/build --test template`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { call } from "warren-guest/testing";

import handler from "./handler.js";

const order = { orderId: "o-1", amount: 1250, customer: "ada" };

test("an order is accepted and told on", () => {
    const { failure, published, logs } = call(handler, {
        body: { ...order, note: "für 🐇" },
        headers: { tenant: "acme" },
    });
    assert.equal(failure, undefined);
    assert.equal(published.length, 1);
    assert.equal(published[0].publisher, "orderAccepted");
    assert.deepEqual(published[0].json, { ...order, attempt: 1, note: "für 🐇" });
    assert.deepEqual(published[0].headers, {
        source: { tag: "text", val: "template" },
        tenant: { tag: "text", val: "acme" },
    });
    assert.deepEqual(logs, [{ level: "info", message: "order accepted", fields: { orderId: "o-1", amount: "1250" } }]);
});

test("what is no order is a permanent failure that says why", () => {
    const text = (body) => call(handler, { body }).failure.message;
    assert.match(text("<order/>"), /^payload: the body is not JSON/);
    assert.equal(text({ ...order, amount: "12" }), 'payload: amount: expected an integer within 2^53, found the string "12"');
    assert.equal(text({ orderId: "o-1", amount: 1 }), "payload: customer: expected a string, found nothing");
});

test("each customer has a failure of its own", () => {
    const failure = (customer, attempt = 1) => call(handler, { body: { ...order, customer }, attempt }).failure;
    assert.equal(failure("busy").retryAfterMs, 1500);
    assert.equal(failure("flaky").class, "transient");
    assert.equal(failure("flaky", 2), undefined);
    assert.equal(failure("forbidden").class, "unauthorized");
    assert.throws(() => failure("crash"), TypeError);
});

test("a refusal to publish is a permanent failure", () => {
    const { failure } = call(handler, { body: { ...order, customer: "unlisted" } }, { refuse: { auditTrail: "not-granted" } });
    assert.equal(failure.message, "publishing was refused: not granted");
});
