/*
 * Memory that lives until the handler returns, and texts in it. A chain of blocks: the newest is filled, and where it is
 * full a larger one follows. All are freed at once, so an instance that is reused grows with its largest message only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A block of the chain, with what it holds behind it. */
typedef struct block {
    struct block *before;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
} block;

static block *newest;

/* The first holds what most handlers need of one message. Others double up to the largest, so that little is idle. */
static const size_t first_size = 8 * 1024, largest_size = 256 * 1024;

static block *add_block(size_t needed) {
    size_t size = !newest ? first_size : newest->size < largest_size ? newest->size * 2 : largest_size;
    if (size < needed) size = needed;
    block *added = size > SIZE_MAX - sizeof(block) ? NULL : malloc(sizeof(block) + size);
    if (!added) warren_panic("out of memory: %zu bytes were asked for", needed);
    added->before = newest;
    added->used = 0;
    added->size = size;
    newest = added;
    return added;
}

/* Memory at a multiple of `step`, a power of two. */
static void *take(size_t size, size_t step) {
    if (size > SIZE_MAX / 2) warren_panic("out of memory: %zu bytes were asked for", size);
    block *in = newest;
    size_t start = in ? (in->used + step - 1) / step * step : 0;
    if (!in || start > in->size || in->size - start < size) {
        in = add_block(size);
        start = 0;
    }
    in->used = start + size;
    return in->bytes + start;
}

void *warren_alloc(size_t size) { return memset(take(size, _Alignof(max_align_t)), 0, size); }

void warren_free_all(void) {
    while (newest) {
        block *before = newest->before;
        free(newest);
        newest = before;
    }
}

warren_string warren_copy(const void *bytes, size_t length) {
    uint8_t *copy = take(length + 1, 1);
    if (length > 0) memcpy(copy, bytes, length);
    copy[length] = '\0';
    return (warren_string){.ptr = copy, .len = length};
}

warren_string warren_text(const char *text) {
    return (warren_string){.ptr = (uint8_t *)(uintptr_t)text, .len = strlen(text)};
}

warren_string warren_format_list(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) warren_panic("printf does not take the format `%s`", format);
    uint8_t *text = take((size_t)length + 1, 1);
    vsnprintf((char *)text, (size_t)length + 1, format, arguments);
    return (warren_string){.ptr = text, .len = (size_t)length};
}

warren_string warren_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    warren_string text = warren_format_list(format, arguments);
    va_end(arguments);
    return text;
}

bool warren_is(warren_string text, const char *other) {
    return text.len == strlen(other) && (text.len == 0 || memcmp(text.ptr, other, text.len) == 0);
}

static bool continues(uint8_t byte) { return (byte & 0xC0) == 0x80; }

size_t warren_utf8_length(const uint8_t *bytes, size_t length) {
    if (length == 0) return 0;
    uint8_t lead = bytes[0];
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return length >= 2 && continues(bytes[1]) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (length < 3 || !continues(bytes[1]) || !continues(bytes[2])) return 0;
        if (lead == 0xE0 && bytes[1] < 0xA0) return 0; /* shorter forms are the only ones */
        if (lead == 0xED && bytes[1] > 0x9F) return 0; /* a half of a surrogate pair */
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (length < 4 || !continues(bytes[1]) || !continues(bytes[2]) || !continues(bytes[3])) return 0;
        if (lead == 0xF0 && bytes[1] < 0x90) return 0;
        if (lead == 0xF4 && bytes[1] > 0x8F) return 0; /* beyond U+10FFFF */
        return 4;
    }
    return 0;
}

bool warren_is_utf8(warren_string text) {
    for (size_t at = 0; at < text.len;) {
        size_t step = warren_utf8_length(text.ptr + at, text.len - at);
        if (step == 0) return false;
        at += step;
    }
    return true;
}

warren_string warren_as_utf8(warren_string text) {
    if (warren_is_utf8(text)) return text;
    uint8_t *out = take(text.len * 3 + 1, 1);
    size_t length = 0;
    for (size_t at = 0; at < text.len;) {
        size_t step = warren_utf8_length(text.ptr + at, text.len - at);
        if (step == 0) {
            memcpy(out + length, "\xEF\xBF\xBD", 3);
            length += 3;
            at += 1;
        } else {
            memcpy(out + length, text.ptr + at, step);
            length += step;
            at += step;
        }
    }
    out[length] = '\0';
    return (warren_string){.ptr = out, .len = length};
}
