// Runs in the sandbox and looks at what is there that QuickJS alone does not have. The tests of Warren hand it a message;
// `*.test.js` beside it are the unit tests of the SDK, in node.

import { boolean, handler, log, type Infer, object, optional, Permanent, publish } from "warren-guest";
import type {} from "./types.js";

const task = object({ async: optional(boolean), string: optional(boolean), header: optional(boolean) });

const atLoad = Math.random();

export default handler(task, (todo: Infer<typeof task>, message) => {
    if (todo.async === true) return Promise.resolve() as never;
    if (todo.string === true) throw "only a string";
    if (todo.header === true) publish("report", {}, { headers: { large: 2 ** 60 } });
    const text = "für 🐇 \ud800";
    const bytes = new TextEncoder().encode(text);
    if (new TextDecoder().decode(bytes) !== "für 🐇 \ufffd") throw new Permanent("UTF-8 is broken");
    console.log("seen by", console, [1, { two: 2n }]);
    log.debug("half a surrogate pair \ud800", { "\udc00": "\ud800" });
    publish("report", {
        random: [Math.random(), Math.random()],
        atLoad,
        uuid: crypto.randomUUID(),
        bytes: Array.from(crypto.getRandomValues(new Uint32Array(4))),
        year: new Date().getFullYear(),
        attempt: message.attempt,
    });
    return undefined;
});
