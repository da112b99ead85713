// What is put aside, and what cannot be.

import assert from "node:assert/strict";
import { test } from "node:test";

import { call } from "warren-guest/testing";

import handler from "./handler.js";

const order = (productId: string) => ({ id: "o-1", userId: "u", items: [{ productId, quantity: 2, priceCents: 5 }] });

test("goods are put aside", () => {
    const { failure, published } = call(handler, { body: order("prod-kettle") });
    assert.equal(failure, undefined);
    assert.deepEqual(published[0]?.json, {
        type: "inventoryReserved",
        orderId: "o-1",
        userId: "u",
        items: [{ productId: "prod-kettle", quantity: 2 }],
    });
});

test("what is out of stock is a permanent failure", () => {
    const { failure, published } = call(handler, { body: order("prod-discontinued") });
    assert.equal(failure?.message, "out of stock: prod-discontinued");
    assert.equal(published.length, 0);
});
