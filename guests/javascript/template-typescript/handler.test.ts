// Unit tests of the handler, in node: `guests/javascript/build --test template-typescript`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { RateLimited } from "warren-guest";
import { call } from "warren-guest/testing";

import handler from "./handler.js";

const order = { orderId: "o-1", amount: 1250, customer: "ada" };

test("an order is accepted and told on", () => {
    const { failure, published, logs } = call(handler, {
        body: { ...order, note: "für 🐇" },
        headers: { tenant: "acme" },
    });
    assert.equal(failure, undefined);
    assert.deepEqual(published.map(({ publisher, json }) => [publisher, json]), [
        ["orderAccepted", { ...order, attempt: 1, note: "für 🐇" }],
    ]);
    assert.deepEqual(published[0]?.headers["tenant"], { tag: "text", val: "acme" });
    assert.deepEqual(logs, [{ level: "info", message: "order accepted", fields: { orderId: "o-1", amount: "1250" } }]);
});

test("what is no order is a permanent failure that says why", () => {
    const { failure } = call(handler, { body: { ...order, amount: 12.5 } });
    assert.equal(failure?.message, "payload: amount: expected an integer within 2^53, found the number 12.5");
});

test("each customer has a failure of its own", () => {
    const failure = (customer: string, attempt = 1) => call(handler, { body: { ...order, customer }, attempt }).failure;
    const busy = failure("busy");
    assert.ok(busy instanceof RateLimited && busy.retryAfterMs === 1500);
    assert.equal(failure("flaky")?.class, "transient");
    assert.equal(failure("flaky", 2), undefined);
    assert.equal(failure("forbidden")?.class, "unauthorized");
    assert.throws(() => failure("crash"), TypeError);
});

test("a refusal to publish is a permanent failure", () => {
    const body = { ...order, customer: "unlisted" };
    const { failure } = call(handler, { body }, { refuse: { auditTrail: "not-granted" } });
    assert.equal(failure?.message, "publishing was refused: not granted");
});
