// Stands in for the host in tests: keeps what a handler publishes and logs. `../testing.js` is its front.

let call = null;

// Runs `work` with a fresh host, and gives what it published and logged.
export function during(refusals, work) {
    if (call !== null) throw new Error("a handler is being called already");
    const mine = { published: [], logs: [], refusals };
    call = mine;
    try {
        return { answer: work(), ...mine };
    } finally {
        call = null;
    }
}

export function write(level, message, fields) {
    if (call === null) return;
    call.logs.push({ level, message, fields: Object.fromEntries(fields) });
}

export function put(publisher, message) {
    if (call === null) throw new Error("publish needs a host: call the handler with `call` of warren-guest/testing");
    const refused = call.refusals[publisher];
    if (refused !== undefined) throw typeof refused === "string" ? { tag: refused } : refused;
    const set = Object.entries(message).filter(([, value]) => value !== null);
    call.published.push({ publisher, ...Object.fromEntries(set) });
    return `id-${call.published.length}`;
}
