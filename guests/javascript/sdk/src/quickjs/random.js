// Randomness. The engine's Math.random is part of the snapshot that `build` takes, so every instance would start with
// the same numbers. This one takes its seed from the host when an instance first asks.

import { getRandomBytes } from "wasi:random/random@0.2.0";

// Under way is a call, not the build, which has no host to ask.
let running = false;
let state;
const atBuild = Math.random;

export function began() {
    running = true;
}

// xoshiro128++, by David Blackman and Sebastiano Vigna.
function next() {
    const rotated = (value, by) => (value << by) | (value >>> (32 - by));
    const sum = (rotated((state[0] + state[3]) | 0, 7) + state[0]) | 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotated(state[3], 11);
    return sum >>> 0;
}

function bytes(count) {
    if (!running) throw new Error("randomness is there while a message is handled, not while the module is loaded");
    return Uint8Array.from(getRandomBytes(count));
}

Math.random = () => {
    if (!running) return atBuild();
    state ??= new Int32Array(bytes(16).buffer);
    return (next() * 0x20_0000 + (next() >>> 11)) / 2 ** 53;
};

const BYTES_MAX = 65_536;

globalThis.crypto ??= {
    getRandomValues(array) {
        if (array.byteLength > BYTES_MAX) throw new RangeError(`at most ${BYTES_MAX} random bytes at once`);
        new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes(array.byteLength));
        return array;
    },
    randomUUID() {
        const id = bytes(16);
        id[6] = (id[6] & 0x0f) | 0x40;
        id[8] = (id[8] & 0x3f) | 0x80;
        const hex = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
        return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
};
