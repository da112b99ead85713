// What the types allow and forbid; compiled, never run.

import {
    anything, handler, type Infer, integer, list, nullable, object, oneOf, optional, Permanent, publish, RateLimited, string,
} from "warren-guest";

const order = object({
    id: string,
    lines: list(object({ amount: integer })),
    note: optional(string),
    parent: nullable(string),
    kind: oneOf("new", "old"),
});
type Order = Infer<typeof order>;

export const full: Order = { id: "1", lines: [{ amount: 1 }], note: "n", parent: null, kind: "new" };
export const short: Order = { id: "1", lines: [], parent: "0", kind: "old" };
// @ts-expect-error: `id` is missing
export const missing: Order = { lines: [], parent: null, kind: "new" };
// @ts-expect-error: no such kind
export const wrong: Order = { id: "1", lines: [], parent: null, kind: "other" };

export const handlers = [
    handler(order, (payload) => {
        const id: string = payload.id;
        if (id === "") return new Permanent("no id");
        publish("done", payload, { headers: { n: 1, s: "x", none: undefined, when: new Date(0) }, priority: 3 });
        return;
    }),
    handler((message) => {
        const bytes: Uint8Array = message.body;
        if (bytes.length === 0) throw new RateLimited("empty", { retryAfterMs: 10 });
    }),
    // @ts-expect-error: nobody would await the promise
    handler(anything, async () => {}),
    // @ts-expect-error: a value means nothing to the host
    handler(anything, () => true),
    handler(order, (payload) => {
        // @ts-expect-error: it may be missing
        const note: string = payload.note;
        publish("done", note);
    }),
];

// @ts-expect-error: a rate limit needs a time
export const unlimited = new RateLimited("busy");
// @ts-expect-error: there is no such option
export const misspelt = () => publish("done", {}, { routingkey: "x" });
