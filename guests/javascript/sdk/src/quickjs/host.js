// The host, as a component sees it. In tests `../double.js` stands here.

import { log } from "warren:handler/logging@0.1.0";
import { publish } from "warren:handler/publisher@0.1.0";

export function write(level, message, fields) {
    log(level, message, fields);
}

export function put(publisher, message) {
    return publish(publisher, message);
}
