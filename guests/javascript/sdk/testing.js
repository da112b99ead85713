// Calls a handler without a host, for unit tests in node.

import { during } from "./src/double.js";
import { isHandler } from "./src/handler.js";

// Hands a message to a handler. `message.body` is JSON unless it is a string or a Uint8Array; what is not set has a
// default. `refuse` names publishers that the host is to refuse, with why: { audit: "not-granted" }.
export function call(handler, message = {}, { refuse = {} } = {}) {
    if (!isHandler(handler)) throw new TypeError("call needs what `handler(…)` returned");
    const { answer, published, logs } = during(refuse, () => handler.run(record(message)));
    const decoded = published.map(({ headers, ...rest }) => ({
        ...rest,
        headers: Object.fromEntries(headers),
        json: json(rest.body),
    }));
    // What a call that failed has published is not sent.
    return { failure: answer, published: answer === undefined ? decoded : [], logs };
}

function record({ body = {}, headers = {}, ...rest }) {
    const bytes = body instanceof Uint8Array
        ? body
        : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
    const tagged = Object.entries(headers).map(([name, value]) => [
        name,
        typeof value === "string" ? { tag: "text", val: value } : value,
    ]);
    return { ...DEFAULTS, ...rest, body: bytes, headers: tagged };
}

const DEFAULTS = {
    contentType: "application/json", exchange: "in", routingKey: "task", queue: "work", consumer: "worker",
    messageId: "m-1", attempt: 1, maxAttempts: 1, redelivered: false, deadlineMs: 5000,
};

function json(body) {
    try {
        return JSON.parse(new TextDecoder().decode(body));
    } catch {
        return undefined;
    }
}
