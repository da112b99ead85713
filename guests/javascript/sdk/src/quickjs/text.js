// TextEncoder and TextDecoder, UTF-8 only. By the engine's own functions on whole strings, base64 among them: a loop over
// the bytes in interpreted code takes ten times as long (for 1 KiB 250 us, and this 23).

const NOT_ASCII = /[^\0-\x7f]/;

// Between bytes and a string of a character for each byte.
const fromBinary = Uint8Array.fromBase64
    ? (binary) => Uint8Array.fromBase64(btoa(binary))
    : (binary) => Uint8Array.from(binary, (character) => character.charCodeAt(0));
const toBinary = Uint8Array.prototype.toBase64
    ? (bytes) => atob(bytes.toBase64())
    : (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

class Encoder {
    get encoding() { return "utf-8"; }

    encode(text = "") {
        let binary = String(text);
        if (NOT_ASCII.test(binary)) binary = unescape(encodeURIComponent(binary.toWellFormed?.() ?? binary));
        return fromBinary(binary);
    }
}

class Decoder {
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
        if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) {
            throw new RangeError(`the encoding ${label} is not there, only utf-8`);
        }
        this.fatal = fatal;
        this.ignoreBOM = ignoreBOM;
    }

    get encoding() { return "utf-8"; }

    decode(input = new Uint8Array(0)) {
        const bytes = ArrayBuffer.isView(input)
            ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
            : new Uint8Array(input);
        const binary = toBinary(bytes);
        if (!NOT_ASCII.test(binary)) return binary;
        let text;
        try {
            text = decodeURIComponent(escape(binary));
        } catch {
            if (this.fatal) throw new TypeError("the bytes are not UTF-8");
            text = lossy(binary);
        }
        return !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
    }
}

// What a well-formed character beyond ASCII looks like in bytes, as far as its first two bytes tell.
const CHARACTER = new RegExp(
    "[\\xc2-\\xdf][\\x80-\\xbf]|(?:\\xe0[\\xa0-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]|\\xed[\\x80-\\x9f])[\\x80-\\xbf]" +
        "|(?:\\xf0[\\x90-\\xbf]|[\\xf1-\\xf3][\\x80-\\xbf]|\\xf4[\\x80-\\x8f])[\\x80-\\xbf]{2}" +
        // The beginning of a character that does not go on is one replacement character, as the standard has it.
        "|(?:\\xe0[\\xa0-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]|\\xed[\\x80-\\x9f])" +
        "|(?:\\xf0[\\x90-\\xbf]|[\\xf1-\\xf3][\\x80-\\xbf]|\\xf4[\\x80-\\x8f])[\\x80-\\xbf]?|[\\x80-\\xff]",
    "g",
);

function lossy(binary) {
    return binary.replace(CHARACTER, (bytes) => {
        try {
            return decodeURIComponent(escape(bytes));
        } catch {
            return "\ufffd";
        }
    });
}

globalThis.TextEncoder ??= Encoder;
globalThis.TextDecoder ??= Decoder;
export { Decoder, Encoder };
