// console, which writes to the host's log.

import { log, shown } from "../log.js";

const by = (level) => (...values) => log[level](values.map(shown).join(" "));
const console = { log: by("info"), info: by("info"), debug: by("debug"), trace: by("trace"), warn: by("warn"), error: by("error") };
console.assert = (truth, ...values) => {
    if (!truth) console.error("assertion failed", ...values);
};
globalThis.console ??= console;
