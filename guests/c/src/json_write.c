/*
 * Writing JSON into call memory. Texts are written as they are, with the escapes that JSON demands and no others, so what
 * was read comes out byte for byte.
 */
#include <math.h>
#include <string.h>

#include "internal.h"

static void put_bytes(warren_writer *writer, const void *bytes, size_t length) {
    if (writer->capacity - writer->length < length) {
        size_t capacity = (writer->capacity + length) * 2;
        if (capacity < 256) capacity = 256;
        char *larger = warren_alloc(capacity);
        if (writer->length > 0) memcpy(larger, writer->bytes, writer->length);
        writer->bytes = larger;
        writer->capacity = capacity;
    }
    if (length > 0) memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void put_text(warren_writer *writer, const char *text) { put_bytes(writer, text, strlen(text)); }

static void put_quoted(warren_writer *writer, warren_string text) {
    if (!warren_is_utf8(text)) warren_panic("a text that is to be JSON is not UTF-8");
    put_text(writer, "\"");
    size_t plain = 0; /* where the bytes begin that need no escape and are not written yet */
    for (size_t at = 0; at < text.len; at++) {
        uint8_t byte = text.ptr[at];
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        put_bytes(writer, text.ptr + plain, at - plain);
        plain = at + 1;
        static const char letters[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt";
        const char *letter = byte == 0 ? NULL : strchr(letters, byte);
        if (letter) {
            put_bytes(writer, (char[]){'\\', escapes[letter - letters]}, 2);
        } else {
            static const char digits[] = "0123456789abcdef";
            put_bytes(writer, (char[]){'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 0xF]}, 6);
        }
    }
    put_bytes(writer, text.ptr + plain, text.len - plain);
    put_text(writer, "\"");
}

enum { MAX_DEPTH = 63 };

/* Whether what is being written is an object, and not an array or the top. */
static bool in_object(const warren_writer *writer) { return writer->depth > 0 && (writer->objects >> writer->depth & 1); }

/* The comma and the name that come before a value. */
static void begin_value(warren_writer *writer, const char *name) {
    bool filled = writer->filled >> writer->depth & 1;
    if (filled && writer->depth == 0) warren_panic("a second value at the top of a JSON text");
    if (in_object(writer) && !name) warren_panic("a value without a name in a JSON object");
    if (!in_object(writer) && name) warren_panic("the name `%s` outside of a JSON object", name);
    if (filled) put_text(writer, ",");
    writer->filled |= (uint64_t)1 << writer->depth;
    if (name) {
        put_quoted(writer, warren_text(name));
        put_text(writer, ":");
    }
}

static void begin_level(warren_writer *writer, const char *name, bool object) {
    begin_value(writer, name);
    if (writer->depth == MAX_DEPTH) warren_panic("JSON nested deeper than %d levels", MAX_DEPTH);
    writer->depth += 1;
    uint64_t bit = (uint64_t)1 << writer->depth;
    writer->filled &= ~bit;
    writer->objects = object ? writer->objects | bit : writer->objects & ~bit;
    put_text(writer, object ? "{" : "[");
}

void warren_put_object(warren_writer *writer, const char *name) { begin_level(writer, name, true); }

void warren_put_array(warren_writer *writer, const char *name) { begin_level(writer, name, false); }

void warren_end(warren_writer *writer) {
    if (writer->depth == 0) warren_panic("`warren_end` without an object or array that is open");
    put_text(writer, in_object(writer) ? "}" : "]");
    writer->depth -= 1;
}

void warren_put_string(warren_writer *writer, const char *name, warren_string text) {
    begin_value(writer, name);
    put_quoted(writer, text);
}

void warren_put_integer(warren_writer *writer, const char *name, int64_t value) {
    begin_value(writer, name);
    warren_string text = warren_format("%" PRId64, value);
    put_bytes(writer, text.ptr, text.len);
}

void warren_put_number(warren_writer *writer, const char *name, double value) {
    if (!isfinite(value)) warren_panic("JSON has no infinity, and nothing for what is not a number");
    begin_value(writer, name);
    warren_string text = warren_format("%.17g", value);
    put_bytes(writer, text.ptr, text.len);
}

void warren_put_boolean(warren_writer *writer, const char *name, bool value) {
    begin_value(writer, name);
    put_text(writer, value ? "true" : "false");
}

void warren_put_null(warren_writer *writer, const char *name) {
    begin_value(writer, name);
    put_text(writer, "null");
}

warren_string warren_written(const warren_writer *writer) {
    if (writer->depth > 0) warren_panic("a JSON text with %u levels that were not ended", writer->depth);
    if (!(writer->filled & 1)) warren_panic("a JSON text without a value");
    return (warren_string){.ptr = (uint8_t *)writer->bytes, .len = writer->length};
}
