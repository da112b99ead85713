/*
 * JSON from a stranger, strictly by RFC 8259, as a tree in call memory. Nothing here is trusted: nesting is bounded, every
 * byte is looked at once, and texts have to be UTF-8 without halves of surrogate pairs, because the host takes no others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { MAX_DEPTH = 64 };

typedef struct {
    const uint8_t *bytes;
    size_t length, at;
    const char *wrong; /* what is wrong at `at`; NULL as long as nothing is */
} parser;

static warren_json *parse_value(parser *in, unsigned depth);

static void *fail(parser *in, const char *wrong) {
    if (!in->wrong) in->wrong = wrong;
    return NULL;
}

/* The next byte, or a NUL at the end: no JSON goes on with one. */
static uint8_t peek(const parser *in) { return in->at < in->length ? in->bytes[in->at] : 0; }

static bool take(parser *in, uint8_t byte) {
    if (in->at >= in->length || in->bytes[in->at] != byte) return false;
    in->at += 1;
    return true;
}

static void skip_space(parser *in) {
    while (peek(in) == ' ' || peek(in) == '\t' || peek(in) == '\n' || peek(in) == '\r') in->at += 1;
}

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* At least one digit. */
static bool take_digits(parser *in) {
    if (!is_digit(peek(in))) return false;
    while (is_digit(peek(in))) in->at += 1;
    return true;
}

static warren_json *new_value(enum warren_json_kind kind) {
    warren_json *value = warren_alloc(sizeof(warren_json));
    value->kind = kind;
    return value;
}

static warren_json *parse_number(parser *in) {
    size_t start = in->at;
    take(in, '-');
    if (!take(in, '0') && !take_digits(in)) return fail(in, "a number without digits");
    if (take(in, '.') && !take_digits(in)) return fail(in, "a number without digits after its point");
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+')) take(in, '-');
        if (!take_digits(in)) return fail(in, "a number without digits in its exponent");
    }
    warren_json *value = new_value(WARREN_NUMBER);
    value->text = warren_copy(in->bytes + start, in->at - start);
    return value;
}

/* Four hexadecimal digits; a number above 0xFFFF if there are none. */
static uint32_t parse_hex(parser *in) {
    uint32_t unit = 0;
    for (int digit = 0; digit < 4; digit++) {
        uint8_t byte = peek(in);
        uint32_t value = byte >= '0' && byte <= '9'   ? byte - '0'
                         : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                         : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                      : 16;
        if (value == 16) return UINT32_MAX;
        unit = unit * 16 + value;
        in->at += 1;
    }
    return unit;
}

static size_t put_utf8(uint8_t *out, uint32_t character) {
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t at = length - 1; at > 0; at--) {
        out[at] = (uint8_t)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    out[0] = (uint8_t)(leads[length] | character);
    return length;
}

/* What follows `\u`. Never longer in UTF-8 than it is written. */
static size_t parse_unicode(parser *in, uint8_t *out) {
    uint32_t character = parse_hex(in);
    if (character > 0xFFFF) {
        fail(in, "`\\u` without four hexadecimal digits");
        return 0;
    }
    if (character >= 0xD800 && character <= 0xDFFF) {
        uint32_t low = character < 0xDC00 && take(in, '\\') && take(in, 'u') ? parse_hex(in) : 0;
        if (low < 0xDC00 || low > 0xDFFF) {
            fail(in, "half of a surrogate pair");
            return 0;
        }
        character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
    }
    return put_utf8(out, character);
}

static size_t parse_escape(parser *in, uint8_t *out) {
    uint8_t byte = peek(in);
    if (byte == 0) { /* so that `strchr` does not find the NUL of its own text */
        fail(in, "a text without an end");
        return 0;
    }
    if (byte == 'u') {
        in->at += 1;
        return parse_unicode(in, out);
    }
    static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char *letter = strchr(letters, byte);
    if (!letter) {
        fail(in, "an escape that JSON does not have");
        return 0;
    }
    in->at += 1;
    *out = (uint8_t)means[letter - letters];
    return 1;
}

/* The text after its opening quote. */
static warren_string parse_string(parser *in) {
    size_t end = in->at; /* unescaped, a text is never longer than up to its closing quote */
    while (end < in->length && in->bytes[end] != '"') end += in->bytes[end] == '\\' ? 2 : 1;
    if (end >= in->length) {
        in->at = in->length;
        fail(in, "a text without an end");
        return (warren_string){0};
    }
    uint8_t *out = warren_copy(in->bytes + in->at, end - in->at).ptr;
    size_t length = 0;
    while (in->at < end && !in->wrong) {
        uint8_t byte = in->bytes[in->at];
        size_t step = warren_utf8_length(in->bytes + in->at, end - in->at);
        if (byte < 0x20) {
            fail(in, "a control character in a text");
        } else if (step == 0) {
            fail(in, "a text that is not UTF-8");
        } else if (byte == '\\') {
            in->at += 1;
            length += parse_escape(in, out + length);
        } else {
            memcpy(out + length, in->bytes + in->at, step);
            length += step;
            in->at += step;
        }
    }
    take(in, '"');
    out[length] = '\0';
    return (warren_string){.ptr = out, .len = length};
}

/* Whether another element follows in an array or object that `close` ends. */
static bool more(parser *in, uint8_t close, bool first) {
    skip_space(in);
    if (in->wrong || take(in, close)) return false;
    if (first) return true;
    if (!take(in, ',')) fail(in, close == ']' ? "neither `,` nor `]`" : "neither `,` nor `}`");
    skip_space(in);
    return !in->wrong;
}

static warren_json *parse_array(parser *in, unsigned depth) {
    warren_json *array = new_value(WARREN_ARRAY);
    const warren_json **last = &array->first;
    while (more(in, ']', !array->first)) {
        warren_json *element = parse_value(in, depth + 1);
        if (!element) return NULL;
        *last = element;
        last = &element->next;
    }
    return array;
}

static warren_json *parse_object(parser *in, unsigned depth) {
    warren_json *object = new_value(WARREN_OBJECT);
    const warren_json **last = &object->first;
    while (more(in, '}', !object->first)) {
        if (!take(in, '"')) return fail(in, "a name that is not in quotes");
        warren_string key = parse_string(in);
        skip_space(in);
        if (!take(in, ':')) return fail(in, "a name without `:`");
        warren_json *element = parse_value(in, depth + 1);
        if (!element) return NULL;
        element->key = key;
        *last = element;
        last = &element->next;
    }
    return object;
}

static warren_json *parse_word(parser *in) {
    static const struct {
        const char *word;
        enum warren_json_kind kind;
        bool boolean;
    } words[] = {{"null", WARREN_NULL, false}, {"true", WARREN_BOOLEAN, true}, {"false", WARREN_BOOLEAN, false}};
    for (size_t at = 0; at < sizeof words / sizeof *words; at++) {
        size_t length = strlen(words[at].word);
        if (in->length - in->at >= length && memcmp(in->bytes + in->at, words[at].word, length) == 0) {
            in->at += length;
            warren_json *value = new_value(words[at].kind);
            value->boolean = words[at].boolean;
            return value;
        }
    }
    return fail(in, in->at < in->length ? "no value" : "the end, where a value should be");
}

/* NULL if something is wrong. */
static warren_json *parse_value(parser *in, unsigned depth) {
    skip_space(in);
    if (in->wrong) return NULL;
    if (depth > MAX_DEPTH) return fail(in, "values nested too deep");
    warren_json *value = NULL;
    if (take(in, '{')) {
        value = parse_object(in, depth);
    } else if (take(in, '[')) {
        value = parse_array(in, depth);
    } else if (take(in, '"')) {
        value = new_value(WARREN_STRING);
        value->text = parse_string(in);
    } else if (peek(in) == '-' || is_digit(peek(in))) {
        value = parse_number(in);
    } else {
        value = parse_word(in);
    }
    return in->wrong ? NULL : value;
}

const warren_json *warren_read_bytes(warren_reader *reader, const uint8_t *bytes, size_t length) {
    parser in = {.bytes = bytes, .length = length};
    reader->problem = NULL;
    warren_json *value = parse_value(&in, 1);
    skip_space(&in);
    if (value && in.at < in.length) value = fail(&in, "more after the value");
    if (in.wrong) reader->problem = (char *)warren_format("not JSON: at byte %zu: %s", in.at, in.wrong).ptr;
    return value;
}

const warren_json *warren_read(warren_reader *reader, const warren_message *message) {
    return warren_read_bytes(reader, message->body.ptr, message->body.len);
}

const warren_json *warren_find(const warren_json *object, const char *name) {
    if (!object || object->kind != WARREN_OBJECT) return NULL;
    const warren_json *found = NULL;
    for (const warren_json *at = object->first; at; at = at->next) {
        if (warren_is(at->key, name)) found = at;
    }
    return found;
}

/* The value of this name and kind; NULL, with the problem in the reader, if there is none. */
static const warren_json *get(warren_reader *reader, const warren_json *object, const char *name,
                              enum warren_json_kind kind, const char *expected) {
    if (reader->problem) return NULL;
    if (!object || object->kind != WARREN_OBJECT) {
        reader->problem = (char *)warren_format("there is no object to find `%s` in", name).ptr;
        return NULL;
    }
    const warren_json *found = warren_find(object, name);
    if (found && found->kind == kind) return found;
    reader->problem = (char *)warren_format(found ? "`%s` is not %s" : "`%s` is missing", name, expected).ptr;
    return NULL;
}

warren_string warren_get_string(warren_reader *reader, const warren_json *object, const char *name) {
    const warren_json *found = get(reader, object, name, WARREN_STRING, "a string");
    return found ? found->text : warren_text("");
}

warren_string warren_get_optional_string(warren_reader *reader, const warren_json *object, const char *name, bool *there) {
    const warren_json *found = warren_find(object, name);
    *there = found && found->kind != WARREN_NULL;
    return *there ? warren_get_string(reader, object, name) : warren_text("");
}

int64_t warren_get_integer(warren_reader *reader, const warren_json *object, const char *name) {
    const warren_json *found = get(reader, object, name, WARREN_NUMBER, "an integer");
    if (!found) return 0;
    char *end = NULL;
    errno = 0;
    long long value = strtoll((const char *)found->text.ptr, &end, 10);
    if (*end == '\0' && errno == 0) return value;
    reader->problem = (char *)warren_format("`%s` is not an integer of 64 bits", name).ptr;
    return 0;
}

double warren_get_number(warren_reader *reader, const warren_json *object, const char *name) {
    const warren_json *found = get(reader, object, name, WARREN_NUMBER, "a number");
    return found ? strtod((const char *)found->text.ptr, NULL) : 0;
}

bool warren_get_boolean(warren_reader *reader, const warren_json *object, const char *name) {
    const warren_json *found = get(reader, object, name, WARREN_BOOLEAN, "true or false");
    return found && found->boolean;
}

const warren_json *warren_get_object(warren_reader *reader, const warren_json *object, const char *name) {
    return get(reader, object, name, WARREN_OBJECT, "an object");
}

const warren_json *warren_get_elements(warren_reader *reader, const warren_json *object, const char *name) {
    const warren_json *found = get(reader, object, name, WARREN_ARRAY, "an array");
    return found ? found->first : NULL;
}
