// Looks at the sandbox from within, for the tests of Warren: reports all of the message that it was given, with the same
// headers, or does what the task says. `*.test.js` beside it are the unit tests of the SDK, in node.

import {
    handler, type HeaderValue, type Infer, type Message, object, oneOf, optional, Permanent, publish, log,
} from "warren-guest";
import type {} from "./types.js";

const body = object({ task: optional(oneOf("look", "promise", "string", "header")) });

const atLoad = Math.random();

export default handler(body, ({ task }: Infer<typeof body>, message) => {
    switch (task) {
        case "look": return look();
        case "promise": return Promise.resolve() as never;
        case "string": throw "only a string";
        case "header": publish("echoed", {}, { headers: { large: 2 ** 60 } }); return undefined;
        default: return report(message);
    }
});

// What is there that QuickJS alone does not have.
function look(): undefined {
    const bytes = new TextEncoder().encode("für 🐇 \ud800");
    if (new TextDecoder().decode(bytes) !== "für 🐇 \ufffd") throw new Permanent("UTF-8 is broken");
    console.log("seen by", console, [1, { two: 2n }]);
    log.debug("half a surrogate pair \ud800", { "\udc00": "\ud800" });
    publish("echoed", {
        random: [Math.random(), Math.random()],
        atLoad,
        uuid: crypto.randomUUID(),
        bytes: Array.from(crypto.getRandomValues(new Uint32Array(4))),
        year: new Date().getFullYear(),
    });
}

function report(message: Message): undefined {
    const { body, headers, isLastAttempt, ...told } = { ...message, isLastAttempt: message.isLastAttempt };
    const seen = Object.fromEntries(headers.map(([name, value]) => [name, named(value)]));
    publish("echoed", { ...told, body: message.bodyText, headers: seen }, {
        headers, correlationId: "its own", messageType: "report", replyTo: "nobody", expirationMs: 600_000, priority: 7,
    });
}

function named({ tag, val }: HeaderValue): unknown {
    return tag === "void" ? tag : { [tag]: val instanceof Uint8Array ? Array.from(val) : val };
}
