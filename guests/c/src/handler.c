/*
 * What a handler says: results, headers, messages to publish, log lines. It leaves to others how the words cross the
 * border: the generated bindings do that in a component, `double.c` in a test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* --- Results ------------------------------------------------------------------------------------------------------- */

warren_result warren_ok(void) { return (warren_result){.outcome = WARREN_OK}; }

#define FAIL(result_outcome, after_ms)                                                                    \
    va_list arguments;                                                                                    \
    va_start(arguments, format);                                                                          \
    warren_string text = warren_as_utf8(warren_format_list(format, arguments));                           \
    va_end(arguments);                                                                                    \
    return (warren_result) { .outcome = result_outcome, .retry_after_ms = after_ms, .text = text }

warren_result warren_permanent(const char *format, ...) { FAIL(WARREN_PERMANENT, 0); }

warren_result warren_transient(const char *format, ...) { FAIL(WARREN_TRANSIENT, 0); }

warren_result warren_unauthorized(const char *format, ...) { FAIL(WARREN_UNAUTHORIZED, 0); }

warren_result warren_rate_limited(uint32_t retry_after_ms, const char *format, ...) {
    FAIL(WARREN_RATE_LIMITED, retry_after_ms);
}

/* On the stack: what ends here may be a lack of memory. */
void warren_panic(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) text[0] = '\0';
    fprintf(stderr, "handler panicked: %s\n", text);
    abort();
}

/* --- Headers ------------------------------------------------------------------------------------------------------- */

static warren_header_value *find_header(warren_handler_types_headers_t headers, const char *name) {
    for (size_t at = 0; at < headers.len; at++) {
        if (warren_is(headers.ptr[at].f0, name)) return &headers.ptr[at].f1;
    }
    return NULL;
}

const warren_header_value *warren_header(const warren_message *message, const char *name) {
    return find_header(message->headers, name);
}

bool warren_text_header(const warren_message *message, const char *name, warren_string *text) {
    const warren_header_value *found = warren_header(message, name);
    if (!found || found->tag != WARREN_HANDLER_TYPES_HEADER_VALUE_TEXT) return false;
    *text = found->val.text;
    return true;
}

warren_header_value warren_header_text(warren_string text) {
    return (warren_header_value){.tag = WARREN_HANDLER_TYPES_HEADER_VALUE_TEXT, .val = {.text = text}};
}

warren_header_value warren_header_integer(int64_t value) {
    return (warren_header_value){.tag = WARREN_HANDLER_TYPES_HEADER_VALUE_INTEGER, .val = {.integer = value}};
}

warren_header_value warren_header_boolean(bool value) {
    return (warren_header_value){.tag = WARREN_HANDLER_TYPES_HEADER_VALUE_BOOLEAN, .val = {.boolean = value}};
}

/* --- Publishing ---------------------------------------------------------------------------------------------------- */

warren_outgoing warren_json_message(const warren_writer *writer) {
    warren_string body = warren_written(writer);
    return (warren_outgoing){.body = {.ptr = body.ptr, .len = body.len}};
}

void warren_add_header(warren_outgoing *message, const char *name, warren_header_value value) {
    warren_header_value *there = find_header(message->headers, name);
    if (there) {
        *there = value;
        return;
    }
    warren_handler_types_headers_t *headers = &message->headers;
    size_t size = sizeof *headers->ptr;
    warren_handler_types_tuple2_string_header_value_t *more = warren_alloc((headers->len + 1) * size);
    if (headers->len > 0) memcpy(more, headers->ptr, headers->len * size);
    more[headers->len].f0 = warren_text(name);
    more[headers->len].f1 = value;
    headers->ptr = more;
    headers->len += 1;
}

/* A text that is not UTF-8 would be a trap that does not say which one it was. */
static void check_text(const char *what, warren_string text) {
    if (!warren_is_utf8(text)) warren_panic("%s of a message to publish is not UTF-8", what);
}

static void check_texts(const warren_outgoing *message) {
    for (size_t at = 0; at < message->headers.len; at++) {
        const warren_header_value *value = &message->headers.ptr[at].f1;
        check_text("the name of a header", message->headers.ptr[at].f0);
        if (value->tag == WARREN_HANDLER_TYPES_HEADER_VALUE_TEXT) check_text("a header", value->val.text);
        if (value->tag == WARREN_HANDLER_TYPES_HEADER_VALUE_NESTED) check_text("a header", value->val.nested);
    }
    const handler_option_string_t texts[] = {message->content_type, message->routing_key, message->correlation_id,
                                             message->message_type, message->reply_to};
    static const char *const names[] = {"the content type", "the routing key", "the correlation id", "the type",
                                        "the reply-to"};
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) {
        if (texts[at].is_some) check_text(names[at], texts[at].val);
    }
}

static warren_string why_refused(const warren_handler_types_publish_error_t *error) {
    switch (error->tag) {
        case WARREN_HANDLER_TYPES_PUBLISH_ERROR_UNKNOWN_PUBLISHER: return warren_text("unknown publisher");
        case WARREN_HANDLER_TYPES_PUBLISH_ERROR_NOT_GRANTED: return warren_text("not granted");
        case WARREN_HANDLER_TYPES_PUBLISH_ERROR_INVALID: {
            warren_string text = warren_text("invalid");
            for (size_t at = 0; at < error->val.invalid.len; at++) {
                text = warren_format("%.*s%s%.*s", WARREN_S(text), at == 0 ? ": " : "; ",
                                     WARREN_S(error->val.invalid.ptr[at]));
            }
            return text;
        }
        case WARREN_HANDLER_TYPES_PUBLISH_ERROR_TOO_MANY:
            return warren_format("too many: the limit is %" PRIu32 " messages", error->val.too_many);
        case WARREN_HANDLER_TYPES_PUBLISH_ERROR_TOO_LARGE:
            return warren_format("too large: the limit is %" PRIu32 " bytes", error->val.too_large);
        default: return warren_text("for a reason that this SDK does not know");
    }
}

warren_published warren_publish(const char *publisher, const warren_outgoing *message) {
    check_texts(message);
    warren_string name = warren_text(publisher), id;
    warren_outgoing outgoing = *message;
    warren_handler_types_publish_error_t error;
    check_text("the publisher's name", name);
    /* What the host gives back was made with `malloc`; from here on it is call memory, like all else. */
    if (warren_handler_publisher_publish(&name, &outgoing, &id, &error)) {
        warren_published published = {.id = warren_copy(id.ptr, id.len)};
        free(id.len > 0 ? id.ptr : NULL);
        return published;
    }
    warren_string why = why_refused(&error);
    if (error.tag == WARREN_HANDLER_TYPES_PUBLISH_ERROR_INVALID && error.val.invalid.len > 0) {
        for (size_t at = 0; at < error.val.invalid.len; at++) {
            if (error.val.invalid.ptr[at].len > 0) free(error.val.invalid.ptr[at].ptr);
        }
        free(error.val.invalid.ptr);
    }
    return (warren_published){.refused = true, .why = why};
}

/* --- Logging ------------------------------------------------------------------------------------------------------- */

void warren_log(enum warren_level level, const char *text, const warren_field *fields) {
    size_t count = 0;
    while (fields && fields[count].name) count += 1;
    handler_tuple2_string_string_t *pairs = warren_alloc((count + 1) * sizeof *pairs);
    for (size_t at = 0; at < count; at++) {
        pairs[at].f0 = warren_as_utf8(warren_text(fields[at].name));
        pairs[at].f1 = warren_as_utf8(fields[at].value);
    }
    warren_string line = warren_as_utf8(warren_text(text));
    handler_list_tuple2_string_string_t list = {.ptr = pairs, .len = count};
    warren_handler_logging_log((warren_handler_logging_level_t)level, &line, &list);
}
