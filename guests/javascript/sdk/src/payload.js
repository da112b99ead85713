// From the bytes of a body to the payload that a handler works on, and why they do not fit.
//
// A payload is described by a small schema. Each schema has `read(value, path)`, which gives the value or throws a
// `Misfit` that names the path.

export class Misfit extends Error {
    constructor(path, wanted, found) {
        super(`${path === "" ? "" : `${path}: `}expected ${wanted}, found ${describe(found)}`);
    }
}

class Schema {
    constructor(read, isOptional = false) {
        this.read = read;
        this.isOptional = isOptional;
    }
}

function describe(value) {
    if (value === undefined) return "nothing";
    if (value === null) return "null";
    if (Array.isArray(value)) return "a list";
    switch (typeof value) {
        case "object": return "an object";
        case "string": return value.length <= 40 ? `the string ${JSON.stringify(value)}` : "a long string";
        case "number": return `the number ${value}`;
        default: return String(value);
    }
}

function plain(wanted, accepts) {
    return new Schema((value, path) => {
        if (!accepts(value)) throw new Misfit(path, wanted, value);
        return value;
    });
}

export const string = plain("a string", (value) => typeof value === "string");
export const number = plain("a number", (value) => typeof value === "number");
// Beyond 2^53 a JSON number is rounded when it is read, so there it is refused rather than changed in silence.
export const integer = plain("an integer within 2^53", Number.isSafeInteger);
export const boolean = plain("true or false", (value) => typeof value === "boolean");
export const anything = new Schema((value, path) => {
    if (value === undefined) throw new Misfit(path, "a value", value);
    return value;
});

export function oneOf(...values) {
    const wanted = `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`;
    return plain(wanted, (value) => values.includes(value));
}

// A key that may be missing. `null` is not missing: see `nullable`.
export function optional(schema) {
    return new Schema((value, path) => (value === undefined ? undefined : schema.read(value, path)), true);
}

export function nullable(schema) {
    return new Schema((value, path) => (value === null ? null : schema.read(value, path)), schema.isOptional);
}

export function list(schema) {
    return new Schema((value, path) => {
        if (!Array.isArray(value)) throw new Misfit(path, "a list", value);
        return value.map((item, index) => schema.read(item, `${path}[${index}]`));
    });
}

function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

// An object with these keys; what else it has is left out, so that a publisher may add to it.
export function object(keys) {
    const entries = Object.entries(keys);
    return new Schema((value, path) => {
        if (!isObject(value)) throw new Misfit(path, "an object", value);
        const out = {};
        for (const [key, schema] of entries) {
            const present = Object.hasOwn(value, key);
            const read = schema.read(present ? value[key] : undefined, path === "" ? key : `${path}.${key}`);
            if (present || !schema.isOptional) out[key] = read;
        }
        return out;
    });
}

// An object with any keys and values of one kind.
export function record(schema) {
    return new Schema((value, path) => {
        if (!isObject(value)) throw new Misfit(path, "an object", value);
        const read = ([key, item]) => [key, schema.read(item, path === "" ? key : `${path}.${key}`)];
        return Object.fromEntries(Object.entries(value).map(read));
    });
}

// A value of which more is asked: `where(integer, "a positive integer", (n) => n > 0)`.
export function where(schema, wanted, accepts) {
    return new Schema((value, path) => {
        const read = schema.read(value, path);
        if (!accepts(read)) throw new Misfit(path, wanted, value);
        return read;
    }, schema.isOptional);
}

export function isSchema(value) {
    return value instanceof Schema;
}
