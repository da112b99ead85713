// The UTF-8 of the SDK against node's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Decoder, Encoder } from "../sdk/src/quickjs/text.js";

const TEXTS = ["", "plain", "für 🐇", "\0\x7f\x80\u07ff\u0800\uffff\u{10ffff}", "\ufeffmarked", "é".repeat(10_000)];

test("text becomes the bytes that node makes of it", () => {
    for (const text of TEXTS) assert.deepEqual(new Encoder().encode(text), new TextEncoder().encode(text));
});

test("bytes become the text that node makes of them", () => {
    for (const ignoreBOM of [true, false]) {
        for (const text of TEXTS) {
            const bytes = new TextEncoder().encode(text);
            const options = { ignoreBOM };
            assert.equal(new Decoder("utf-8", options).decode(bytes), new TextDecoder("utf-8", options).decode(bytes));
        }
    }
});

test("a view of a buffer is read as the view", () => {
    const bytes = new TextEncoder().encode("abcdef").subarray(2, 4);
    assert.equal(new Decoder().decode(bytes), "cd");
    assert.equal(new Decoder().decode(new DataView(bytes.buffer, 1, 2)), "bc");
});

test("what is not UTF-8 is replaced as in node, or refused", () => {
    // A small generator of its own, so that a failure can be repeated.
    let seed = 7;
    const random = (below) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const bytes = [0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff];
    for (let round = 0; round < 20_000; round++) {
        const broken = Uint8Array.from({ length: random(8) }, () => bytes[random(bytes.length)]);
        assert.equal(new Decoder().decode(broken), new TextDecoder().decode(broken), String(broken));
    }
    assert.throws(() => new Decoder("utf-8", { fatal: true }).decode(Uint8Array.of(0xff)), TypeError);
    assert.throws(() => new Decoder("latin1"), RangeError);
});
