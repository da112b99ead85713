// What a handler finds around it beside the language itself: what QuickJS has, and what the SDK adds. There are no
// timers, no fetch, no URL and no structuredClone.

interface WarrenConsole {
    log(...values: unknown[]): void;
    info(...values: unknown[]): void;
    debug(...values: unknown[]): void;
    trace(...values: unknown[]): void;
    warn(...values: unknown[]): void;
    error(...values: unknown[]): void;
    assert(truth?: boolean, ...values: unknown[]): void;
}
declare var console: WarrenConsole;

declare class TextEncoder {
    readonly encoding: "utf-8";
    encode(text?: string): Uint8Array;
}
declare class TextDecoder {
    constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
    readonly encoding: "utf-8";
    decode(bytes?: ArrayBuffer | ArrayBufferView): string;
}

declare var crypto: {
    getRandomValues<T extends ArrayBufferView>(array: T): T;
    randomUUID(): string;
};
declare var performance: { now(): number };
declare function queueMicrotask(work: () => void): void;
declare function atob(base64: string): string;
declare function btoa(binary: string): string;
