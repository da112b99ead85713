// Log lines with fields. The host adds consumer, queue, message id and attempt.

import { write } from "#host";
import { wellFormed } from "./failure.js";

export const log = {};
for (const level of ["trace", "debug", "info", "warn", "error"]) {
    log[level] = (message, fields = {}) => {
        const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
        write(level, wellFormed(message), pairs.map(([name, value]) => [wellFormed(name), wellFormed(shown(value))]));
    };
}
Object.freeze(log);

// A value as somebody wants to read it in a log.
export function shown(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return explained(value);
    if (typeof value !== "object" || value === null) return String(value);
    try {
        return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner));
    } catch {
        return Object.prototype.toString.call(value);
    }
}

// An error with its stack and its causes, outermost first.
export function explained(error, depth = 0) {
    const stack = (error.stack ?? "").trim();
    const head = `${error.name}: ${error.message}`;
    const text = stack.startsWith(head) || stack === "" ? stack || head : `${head}\n${stack}`;
    if (!(error.cause instanceof Error) || depth === 8) return text;
    return `${text}\ncaused by ${explained(error.cause, depth + 1)}`;
}
