// The message, as a handler sees it: the record of wit/handler.wit with a few questions it can be asked.

import { Permanent } from "./failure.js";
import { Misfit } from "./payload.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Message {
    constructor(record) {
        Object.assign(this, record);
        for (const name of OPTIONAL) this[name] ??= undefined;
    }

    // The value of a header with its type, `{ tag, val }`; names are case-sensitive.
    header(name) {
        return this.headers.find(([present]) => present === name)?.[1];
    }

    // A header that is text.
    text(name) {
        const value = this.header(name);
        return value?.tag === "text" ? value.val : undefined;
    }

    get isLastAttempt() {
        return this.attempt >= this.maxAttempts;
    }

    // The body as text.
    get bodyText() {
        try {
            return utf8.decode(this.body);
        } catch {
            throw new Permanent("payload: the body is not UTF-8");
        }
    }

    // The body as JSON that fits the schema.
    json(schema) {
        let value;
        try {
            value = JSON.parse(this.bodyText);
        } catch (error) {
            if (error instanceof Permanent) throw error;
            throw new Permanent(`payload: the body is not JSON: ${error.message}`, { cause: error });
        }
        if (schema === undefined) return value;
        try {
            return schema.read(value, "");
        } catch (error) {
            if (error instanceof Misfit) throw new Permanent(`payload: ${error.message}`);
            throw error;
        }
    }
}

const OPTIONAL = [
    "contentType", "correlationId", "causationId", "replyTo", "messageType", "appId", "priority", "timestamp",
];
