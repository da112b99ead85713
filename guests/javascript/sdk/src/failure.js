// What went wrong, in the words of the contract. Thrown (or returned) by a handler; any other error is a trap.

export class Failure extends Error {
    // The `failure` of wit/handler.wit that this is.
    get variant() {
        return { tag: this.class, val: wellFormed(this.message) };
    }
}

// No retry can help: dead-letter it now.
export class Permanent extends Failure {
    get name() { return "Permanent"; }
    get class() { return "permanent"; }
}

// A retry may help: retry as the contract's policy says.
export class Transient extends Failure {
    get name() { return "Transient"; }
    get class() { return "transient"; }
}

// We were not allowed to: dead-letter it now, and tell a human.
export class Unauthorized extends Failure {
    get name() { return "Unauthorized"; }
    get class() { return "unauthorized"; }
}

const U32_MAX = 0xffff_ffff;

// A retry will help, but not before the time given.
export class RateLimited extends Failure {
    constructor(message, { retryAfterMs, ...options } = {}) {
        super(message, options);
        if (typeof retryAfterMs !== "number" || !(retryAfterMs >= 0)) {
            throw new TypeError("RateLimited needs { retryAfterMs: NUMBER } as its second argument");
        }
        // Rounded up, so that it is never shorter than asked.
        this.retryAfterMs = Math.min(Math.ceil(retryAfterMs), U32_MAX);
    }
    get name() { return "RateLimited"; }
    get class() { return "rate-limited"; }
    get variant() {
        return { tag: this.class, val: { retryAfterMs: this.retryAfterMs, reason: wellFormed(this.message) } };
    }
}

const REFUSALS = {
    "unknown-publisher": {
        reason: "unknown publisher",
        text: () => "is not in the contract; hint: add it to `publishers`, `events` or `commands`, or correct the name",
    },
    "not-granted": {
        reason: "not granted",
        text: () => "is not granted to this consumer; hint: add it to the consumer's `publishes` in the contract",
    },
    invalid: {
        reason: "invalid",
        text: (reasons) => `refuses a message that does not satisfy the contract: ${reasons.join("; ")}`,
    },
    "too-many": { reason: "too many", text: (limit) => `refuses more than ${limit} messages from one call` },
    "too-large": {
        reason: "too large",
        text: (limit) => `refuses more than ${limit} bytes, in one message or from one call`,
    },
};

// The host does not take a message. Permanent, because another attempt would be refused too.
export class PublishRefused extends Permanent {
    constructor(publisher, { tag, val }) {
        const refusal = REFUSALS[tag];
        super(`publisher \`${publisher}\` ${refusal.text(val)}`);
        this.publisher = publisher;
        this.reason = refusal.reason;
    }
    get name() { return "PublishRefused"; }
    static isRefusal(thrown) {
        return typeof thrown?.tag === "string" && thrown.tag in REFUSALS;
    }
}

// Half of a surrogate pair cannot be said in UTF-8, and what cannot be said would be a trap without a reason.
export function wellFormed(text) {
    const string = String(text);
    return string.isWellFormed?.() === false ? string.toWellFormed() : string;
}
