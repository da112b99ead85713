// The component: `build` bundles this file, with the user's module in place of `warren:user`.

import "./quickjs/platform.js";
import user from "warren:user";
import { handle, isHandler } from "./handler.js";
import { began } from "./quickjs/random.js";

if (!isHandler(user)) {
    throw new TypeError("the module has to `export default handler(…)`");
}

export const consumer = {
    handle(record) {
        began();
        handle(user, record);
    },
};
