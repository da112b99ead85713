// Types of warren-guest: write a RabbitMQ message handler for Warren in TypeScript or JavaScript.

/** A value of an AMQP header, with its type. Integers are exact up to 2^53. */
export type HeaderValue =
    | { readonly tag: "void"; readonly val?: undefined }
    | { readonly tag: "boolean"; readonly val: boolean }
    | { readonly tag: "integer"; readonly val: number }
    | { readonly tag: "float"; readonly val: number }
    | { readonly tag: "text"; readonly val: string }
    | { readonly tag: "bytes"; readonly val: Uint8Array }
    /** In seconds since 1970. */
    | { readonly tag: "timestamp"; readonly val: number }
    /** An AMQP array or table, as JSON text. */
    | { readonly tag: "nested"; readonly val: string };

/** JSON, as it can be published. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/** A message, and where this handing-over of it stands. */
export interface Message {
    readonly body: Uint8Array;
    readonly contentType: string | undefined;
    /** As they were published, without the bookkeeping of broker and host. A name occurs once. */
    readonly headers: readonly (readonly [string, HeaderValue])[];
    /** The original one, also after a retry. */
    readonly exchange: string;
    /** The original one, also after a retry. */
    readonly routingKey: string;
    readonly queue: string;
    readonly consumer: string;
    readonly messageId: string;
    readonly correlationId: string | undefined;
    /** The id of the message whose handling published this one. */
    readonly causationId: string | undefined;
    readonly replyTo: string | undefined;
    readonly messageType: string | undefined;
    readonly appId: string | undefined;
    readonly priority: number | undefined;
    /** In seconds since 1970. */
    readonly timestamp: number | undefined;
    /** 1 the first time. */
    readonly attempt: number;
    readonly maxAttempts: number;
    /** The broker's hint that the message may have been handed over before. */
    readonly redelivered: boolean;
    /** How long this call may take. */
    readonly deadlineMs: number;
    /** Whether a failure of this attempt is final. */
    readonly isLastAttempt: boolean;
    /** The body as text. Throws `Permanent` if it is not UTF-8. */
    readonly bodyText: string;
    /** The value of a header; names are case-sensitive. */
    header(name: string): HeaderValue | undefined;
    /** A header that is text. */
    text(name: string): string | undefined;
    /** The body as JSON that fits the schema. Throws `Permanent` if it does not. */
    json<T>(schema: Schema<T>): T;
    json(): unknown;
}

/** Describes a payload: what `T` is, and how to see whether a value is one. */
export interface Schema<T> {
    readonly read: (value: unknown, path: string) => T;
    readonly isOptional: boolean;
}

/** The type that a schema describes: `type Order = Infer<typeof order>`. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

/** A key that may be missing. */
export interface Optional<T> extends Schema<T | undefined> {
    readonly isOptional: true;
}

type OptionalKeys<K> = { [N in keyof K]: K[N] extends Optional<unknown> ? N : never }[keyof K];
type Flat<T> = { [N in keyof T]: T[N] };
type ObjectOf<K> = Flat<
    { [N in Exclude<keyof K, OptionalKeys<K>>]: Infer<K[N]> } & { [N in OptionalKeys<K>]?: Infer<K[N]> }
>;

export const string: Schema<string>;
export const number: Schema<number>;
/** An integer that JavaScript has exact: within 2^53. `5.0` is one. */
export const integer: Schema<number>;
export const boolean: Schema<boolean>;
/** Any value, `null` included. */
export const anything: Schema<unknown>;
export function oneOf<const V extends string | number | boolean>(...values: V[]): Schema<V>;
export function optional<T>(schema: Schema<T>): Optional<T>;
export function nullable<T>(schema: Schema<T>): Schema<T | null>;
export function list<T>(schema: Schema<T>): Schema<T[]>;
/** An object with these keys; what else it has is left out. */
export function object<K extends Record<string, Schema<unknown>>>(keys: K): Schema<ObjectOf<K>>;
/** An object with any keys and values of one kind. */
export function record<T>(schema: Schema<T>): Schema<Record<string, T>>;
/** A value of which more is asked: `where(integer, "a positive integer", (n) => n > 0)`. */
export function where<T>(schema: Schema<T>, wanted: string, accepts: (value: T) => boolean): Schema<T>;

/** Thrown or returned by a handler: why a message was not handled. Any other error is a trap. */
export abstract class Failure extends Error {
    readonly class: "permanent" | "transient" | "rate-limited" | "unauthorized";
}
/** No retry can help: dead-letter it now. */
export class Permanent extends Failure {
    readonly class: "permanent";
    constructor(why: string, options?: { cause?: unknown });
}
/** A retry may help: retry as the contract's policy says. */
export class Transient extends Failure {
    readonly class: "transient";
    constructor(why: string, options?: { cause?: unknown });
}
/** A retry will help, but not before the time given. */
export class RateLimited extends Failure {
    readonly class: "rate-limited";
    readonly retryAfterMs: number;
    constructor(why: string, options: { retryAfterMs: number; cause?: unknown });
}
/** We were not allowed to: dead-letter it now, and tell a human. */
export class Unauthorized extends Failure {
    readonly class: "unauthorized";
    constructor(why: string, options?: { cause?: unknown });
}
/** The host does not take a message. Permanent, unless the handler catches it. */
export class PublishRefused extends Permanent {
    readonly publisher: string;
    readonly reason: "unknown publisher" | "not granted" | "invalid" | "too many" | "too large";
    private constructor();
}

/** What a module exports by default. */
export interface Handler {
    readonly handlesMessages: true;
}

/** `undefined`, and not `void`: an async function would be one that returns nothing, and nobody would await it. */
export type Answer = Failure | undefined;

/** Makes a handler of a function on a typed payload. A body that does not fit is a permanent failure. */
export function handler<T>(schema: Schema<T>, work: (payload: T, message: Message) => Answer): Handler;
/** Makes a handler of a function on a message, for bodies that are not JSON. */
export function handler(work: (message: Message) => Answer): Handler;

/** What can be said of a message to publish; the host sets the rest. */
export interface PublishOptions {
    contentType?: string | undefined;
    headers?: Readonly<Record<string, Header | undefined>> | ReadonlyMap<string, Header> | Message["headers"] | undefined;
    /** For a publisher whose key is a pattern. */
    routingKey?: string | undefined;
    correlationId?: string | undefined;
    messageType?: string | undefined;
    replyTo?: string | undefined;
    expirationMs?: number | undefined;
    priority?: number | undefined;
}

/** A header to publish. An integral number is an AMQP integer, another one a double, a `Date` a timestamp. */
export type Header = HeaderValue | string | number | bigint | boolean | null | Uint8Array | Date | readonly Json[];

/**
 * Publishes through a publisher, event or command of the contract, and returns the message id it will have. The host
 * sends it when the handler has returned, and drops it if that fails. Throws `PublishRefused`.
 */
export function publish(publisher: string, payload: Json | Uint8Array | object, options?: PublishOptions): string;

type Write = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Log lines with fields. */
export const log: { readonly trace: Write; readonly debug: Write; readonly info: Write; readonly warn: Write; readonly error: Write };
