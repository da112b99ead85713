// Types of warren-guest/testing.

import type { Failure, Handler, HeaderValue, Message } from "./index.js";

/** What the host would have been asked to publish. */
export interface Published {
    publisher: string;
    body: Uint8Array;
    /** The body as JSON, if it is JSON. */
    json: any;
    headers: Record<string, HeaderValue>;
    contentType?: string;
    routingKey?: string;
    correlationId?: string;
    messageType?: string;
    replyTo?: string;
    expirationMs?: number;
    priority?: number;
}

/** What came of a call. */
export interface Called {
    /** Undefined if the message was handled. An error that is no failure (a trap) is thrown by `call`. */
    failure: Failure | undefined;
    /** Empty after a failure, as in the host. */
    published: Published[];
    logs: { level: string; message: string; fields: Record<string, string> }[];
}

/** A message for a test; what is not set has a default. */
export type TestMessage = Partial<Omit<Message, "body" | "headers">> & {
    /** JSON, unless it is a string or a Uint8Array. */
    body?: unknown;
    headers?: Record<string, string | HeaderValue>;
};

type Refusal = "unknown-publisher" | "not-granted" | { tag: "invalid"; val: string[] } | { tag: "too-many" | "too-large"; val: number };

/** Hands a message to a handler. `refuse` names publishers that the host is to refuse, with why. */
export function call(handler: Handler, message?: TestMessage, options?: { refuse?: Record<string, Refusal> }): Called;
