// What the SDK makes of JavaScript's habits.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
    anything, boolean, handler, integer, list, log, nullable, number, object, oneOf, optional, Permanent, publish,
    PublishRefused, RateLimited, record, string, Transient, where,
} from "warren-guest";
import { call } from "warren-guest/testing";

import { handle } from "../sdk/src/handler.js";
import { explained, shown } from "../sdk/src/log.js";

const answers = (work) => handler(anything, work);
const misfit = (schema, body) => call(handler(schema, () => undefined), { body }).failure?.message;

test("a promise is refused, and not taken for success", () => {
    assert.throws(() => handler(anything, async () => {}), /a promise would not be awaited/);
    assert.throws(() => call(answers(() => Promise.resolve())), /a promise would not be awaited/);
    assert.throws(() => call(answers(() => ({ then() {} }))), TypeError);
});

test("a failure may be thrown or returned; anything else that is returned is a mistake", () => {
    assert.equal(call(answers(() => new Transient("later"))).failure.class, "transient");
    assert.throws(() => call(answers(() => true)), /returned true/);
    assert.equal(call(answers(() => {})).failure, undefined);
});

test("what is handed to the host is the variant", () => {
    const thrown = (work) => {
        try {
            handle(answers(work), { body: new TextEncoder().encode("1"), headers: [] });
        } catch (thrown) {
            return thrown;
        }
    };
    assert.deepEqual(thrown(() => { throw new Permanent("no"); }), { tag: "permanent", val: "no" });
    assert.deepEqual(
        thrown(() => { throw new RateLimited("busy", { retryAfterMs: 0.1 }); }),
        { tag: "rate-limited", val: { retryAfterMs: 1, reason: "busy" } },
    );
    assert.ok(thrown(() => { throw new RateLimited("busy"); }) instanceof TypeError);
    assert.match(thrown(() => { throw "text"; }).message, /no Error: text/);
    assert.ok(thrown(() => { throw { tag: "permanent", val: "x" }; }) instanceof Error);
});

test("a payload that does not fit says where", () => {
    const items = object({ items: list(object({ price: number, kind: optional(oneOf("a", "b")) })), at: nullable(string) });
    assert.equal(misfit(items, { items: [{ price: 1 }, { price: "1" }], at: null }), 'payload: items[1].price: expected a number, found the string "1"');
    assert.equal(misfit(items, { items: [{ price: 1, kind: "c" }], at: null }), 'payload: items[0].kind: expected one of "a", "b", found the string "c"');
    assert.equal(misfit(items, { items: [] }), "payload: at: expected a string, found nothing");
    assert.equal(misfit(record(boolean), { a: true, b: 0 }), "payload: b: expected true or false, found the number 0");
    assert.equal(misfit(where(integer, "a positive integer", (n) => n > 0), -1), "payload: expected a positive integer, found the number -1");
    assert.equal(misfit(integer, "9007199254740993"), "payload: expected an integer within 2^53, found the number 9007199254740992");
    assert.equal(misfit(string, Uint8Array.of(0x22, 0xff, 0x22)), "payload: the body is not UTF-8");
});

test("what the schema does not name is left out, and what it names is the payload's own", () => {
    let seen;
    const keep = handler(object({ id: string, note: optional(string) }), (payload) => { seen = payload; });
    call(keep, { body: { id: "1", other: 1 } });
    assert.deepEqual(seen, { id: "1" });
    assert.equal(misfit(object({ toString: string }), {}), "payload: toString: expected a string, found nothing");
});

test("headers get their AMQP types, and keep them when they are passed on", () => {
    const headers = { i: { tag: "integer", val: 5 }, f: { tag: "float", val: 2 }, b: { tag: "bytes", val: Uint8Array.of(1) } };
    const { published } = call(handler((message) => {
        publish("same", {}, { headers: message.headers });
        publish("own", {}, { headers: { n: 1, f: 1.5, t: "x", d: new Date(5000), nil: null, big: 5n, o: [1, { a: 2 }], no: undefined } });
    }), { headers });
    assert.deepEqual(published[0].headers, headers);
    assert.deepEqual(published[1].headers, {
        n: { tag: "integer", val: 1 }, f: { tag: "float", val: 1.5 }, t: { tag: "text", val: "x" },
        d: { tag: "timestamp", val: 5 }, nil: { tag: "void" }, big: { tag: "integer", val: 5 },
        o: { tag: "nested", val: '[1,{"a":2}]' },
    });
});

test("what cannot be published says so before the host would trap", () => {
    const fails = (...publication) => () => call(answers(() => { publish(...publication); }));
    assert.throws(fails("x", {}, { headers: { n: 2 ** 60 } }), /beyond 2\^53/);
    assert.throws(fails("x", {}, { headers: { n: () => 1 } }), /cannot be a function/);
    assert.throws(fails("x", {}, { priority: 300 }), /0 to 255/);
    assert.throws(fails("x", {}, { expirationMs: "soon" }), /expirationMs/);
    assert.throws(fails("x", {}, { routingkey: "a" }), /no option `routingkey`/);
    assert.throws(fails(undefined, {}), /name of a publisher/);
    assert.equal(call(answers(() => { publish("x", undefined); })).failure.class, "permanent");
});

test("a refusal is a permanent failure that can be caught", () => {
    const refuse = { x: { tag: "invalid", val: ["`a` is required", "`b` is no number"] } };
    const { failure } = call(answers(() => { publish("x", {}); }), {}, { refuse });
    assert.ok(failure instanceof PublishRefused);
    assert.match(failure.message, /^publisher `x` refuses .*`a` is required; `b` is no number$/);
    assert.equal(call(answers(() => { publish("x", {}); }), {}, { refuse: { x: "not-granted" } }).failure.reason, "not granted");
});

test("nothing is published by a call that fails", () => {
    assert.deepEqual(call(answers(() => { publish("x", {}); throw new Permanent("no"); })).published, []);
});

test("fields of a log line are texts; a value that is not there is left out", () => {
    const { logs } = call(answers(() => { log.warn("odd", { n: 1, o: { a: 1n }, nil: null, no: undefined }); }));
    assert.deepEqual(logs, [{ level: "warn", message: "odd", fields: { n: "1", o: '{"a":"1"}', nil: "null" } }]);
});

test("an error is shown with its causes", () => {
    const error = new Error("outer", { cause: new TypeError("inner") });
    assert.match(explained(error), /^Error: outer\n[^]*caused by TypeError: inner/);
    const circle = {};
    circle.self = circle;
    assert.equal(shown(circle), "[object Object]");
});
