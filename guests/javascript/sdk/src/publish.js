// Publishing through the publishers that the contract grants.

import { put } from "#host";
import { Permanent, PublishRefused, wellFormed } from "./failure.js";

const utf8 = new TextEncoder();
const U32_MAX = 0xffff_ffff;

// Puts a message into the outbox of this call and returns the message id it will have. The payload is written as JSON,
// or as it is if it is a Uint8Array.
export function publish(publisher, payload, options = {}) {
    if (typeof publisher !== "string") throw new TypeError("publish needs the name of a publisher");
    const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
    if (unknown !== undefined) {
        throw new TypeError(`publish has no option \`${unknown}\`; there are ${OPTIONS.join(", ")}`);
    }
    const message = {
        body: body(payload),
        contentType: text(options, "contentType"),
        headers: headers(options.headers ?? {}),
        routingKey: text(options, "routingKey"),
        correlationId: text(options, "correlationId"),
        messageType: text(options, "messageType"),
        replyTo: text(options, "replyTo"),
        expirationMs: whole(options, "expirationMs", U32_MAX),
        priority: whole(options, "priority", 255),
    };
    try {
        return put(wellFormed(publisher), message);
    } catch (thrown) {
        // The engine throws an Error that carries the variant.
        const refusal = thrown?.payload ?? thrown;
        if (PublishRefused.isRefusal(refusal)) throw new PublishRefused(publisher, refusal);
        throw thrown;
    }
}

const OPTIONS = [
    "contentType", "headers", "routingKey", "correlationId", "messageType", "replyTo", "expirationMs", "priority",
];

function body(payload) {
    if (payload instanceof Uint8Array) return payload;
    const json = JSON.stringify(payload);
    if (json === undefined) throw new Permanent("the payload to publish cannot be written as JSON");
    return utf8.encode(json);
}

// A value of the wrong type would be a trap that says only where in the engine it happened.
function text(options, name) {
    const value = options[name] ?? null;
    if (value !== null && typeof value !== "string") throw new TypeError(`\`${name}\` has to be a string`);
    return value === null ? null : wellFormed(value);
}

function whole(options, name, max) {
    const value = options[name] ?? null;
    if (value === null) return null;
    const rounded = Math.ceil(value);
    if (!(rounded >= 0 && rounded <= max)) throw new TypeError(`\`${name}\` has to be a number from 0 to ${max}`);
    return rounded;
}

function headers(given) {
    const entries = given instanceof Map ? [...given] : Array.isArray(given) ? given : Object.entries(given);
    const present = entries.filter(([, value]) => value !== undefined);
    return present.map(([name, value]) => [wellFormed(name), header(name, value)]);
}

// What a value is as an AMQP header. `{ tag, val }`, as in the headers of a message, says it exactly.
function header(name, value) {
    switch (typeof value) {
        case "string": return { tag: "text", val: wellFormed(value) };
        case "boolean": return { tag: "boolean", val: value };
        case "number":
            return Number.isInteger(value) ? integer(name, "integer", value) : { tag: "float", val: value };
        case "bigint": return integer(name, "integer", value);
        case "object": break;
        default: throw new TypeError(`the header \`${name}\` cannot be a ${typeof value}`);
    }
    if (value === null) return { tag: "void" };
    if (value instanceof Uint8Array) return { tag: "bytes", val: value };
    if (value instanceof Date) return integer(name, "timestamp", Math.floor(value.getTime() / 1000));
    if (typeof value.tag === "string" && TAGS[value.tag]) return TAGS[value.tag](name, value.val);
    return nested(JSON.stringify(value));
}

// The engine passes 64-bit integers as numbers, which are exact up to 2^53 only.
function integer(name, tag, value) {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
        throw new TypeError(`the header \`${name}\` is ${value}, which JavaScript cannot send exactly: beyond 2^53`);
    }
    return { tag, val: number };
}

function nested(json) {
    return { tag: "nested", val: wellFormed(json) };
}

const TAGS = {
    void: () => ({ tag: "void" }),
    boolean: (_, val) => ({ tag: "boolean", val: Boolean(val) }),
    integer: (name, val) => integer(name, "integer", val),
    float: (_, val) => ({ tag: "float", val: Number(val) }),
    text: (_, val) => ({ tag: "text", val: wellFormed(val) }),
    bytes: (_, val) => ({ tag: "bytes", val: Uint8Array.from(val) }),
    timestamp: (name, val) => integer(name, "timestamp", val),
    nested: (_, val) => nested(val),
};
