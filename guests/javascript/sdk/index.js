// Write a message handler for Warren: a payload, a function, and `handler`. See ../README.md.

export { Failure, Permanent, Transient, RateLimited, Unauthorized, PublishRefused } from "./src/failure.js";
export { handler } from "./src/handler.js";
export { log } from "./src/log.js";
export { publish } from "./src/publish.js";
export {
    anything, boolean, integer, list, nullable, number, object, oneOf, optional, record, string, where,
} from "./src/payload.js";
