// What a handler's module exports, and how a message is handed to it.

import { Failure } from "./failure.js";
import { explained, log, shown } from "./log.js";
import { Message } from "./message.js";
import { isSchema } from "./payload.js";

class Handler {
    constructor(schema, work) {
        this.schema = schema;
        this.work = work;
    }

    // Handles the record of wit/handler.wit. Gives nothing, or the failure; throws what is neither.
    run(record) {
        const message = new Message(record);
        try {
            const payload = this.schema === undefined ? message : message.json(this.schema);
            return answer(this.work(payload, message));
        } catch (thrown) {
            if (thrown instanceof Failure) return thrown;
            throw thrown;
        }
    }
}

// `handler(schema, (payload, message) => …)`, or `handler((message) => …)` for bodies that are not JSON.
export function handler(schema, work) {
    if (work === undefined && typeof schema === "function") return handler(undefined, schema);
    if (schema !== undefined && !isSchema(schema)) {
        throw new TypeError("handler(schema, function) needs a schema, such as object({ id: string })");
    }
    if (typeof work !== "function") throw new TypeError("handler(schema, function) needs a function");
    if (work.constructor.name === "AsyncFunction") throw new TypeError(NO_PROMISES);
    return new Handler(schema, work);
}

const NO_PROMISES =
    "a handler is a synchronous function: a promise would not be awaited. Calls to the host, such as publish, " +
    "return when they are done, so `async` and `await` are not needed";

function answer(returned) {
    if (returned === undefined || returned instanceof Failure) return returned;
    if (typeof returned?.then === "function") throw new TypeError(NO_PROMISES);
    throw new TypeError(`a handler returns nothing, or a Failure; this one returned ${shown(returned)}`);
}

export function isHandler(value) {
    return value instanceof Handler;
}

// The `handle` of the component. What is thrown here as `{ tag, val }` is a failure; anything else is a trap.
export function handle(handler, record) {
    let failure;
    try {
        failure = handler.run(record);
    } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(`what was thrown is no Error: ${shown(thrown)}`);
        log.error(`handler threw ${error.name}: ${error.message}`, { stack: explained(error) });
        throw error;
    }
    if (failure !== undefined) throw failure.variant;
}
