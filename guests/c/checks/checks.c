/*
 * Looks at the sandbox from within, for the tests of Warren: reports all of the message that it was given, with the same
 * headers, or ends as the task says.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <warren.h>

static void put_bytes(warren_writer *out, const char *name, handler_list_u8_t bytes) {
    warren_put_array(out, name);
    for (size_t at = 0; at < bytes.len; at++) warren_put_integer(out, NULL, bytes.ptr[at]);
    warren_end(out);
}

/* Names the case of the value: {"text": "x"}; "void". */
static void put_header(warren_writer *out, const char *name, const warren_header_value *value) {
    if (value->tag == WARREN_HANDLER_TYPES_HEADER_VALUE_VOID) {
        warren_put_string(out, name, warren_text("void"));
        return;
    }
    warren_put_object(out, name);
    switch (value->tag) {
        case WARREN_HANDLER_TYPES_HEADER_VALUE_BOOLEAN: warren_put_boolean(out, "boolean", value->val.boolean); break;
        case WARREN_HANDLER_TYPES_HEADER_VALUE_INTEGER: warren_put_integer(out, "integer", value->val.integer); break;
        case WARREN_HANDLER_TYPES_HEADER_VALUE_FLOAT: warren_put_number(out, "float", value->val.float_); break;
        case WARREN_HANDLER_TYPES_HEADER_VALUE_TEXT: warren_put_string(out, "text", value->val.text); break;
        case WARREN_HANDLER_TYPES_HEADER_VALUE_BYTES: put_bytes(out, "bytes", value->val.bytes); break;
        case WARREN_HANDLER_TYPES_HEADER_VALUE_TIMESTAMP:
            warren_put_integer(out, "timestamp", (int64_t)value->val.timestamp);
            break;
        case WARREN_HANDLER_TYPES_HEADER_VALUE_NESTED: warren_put_string(out, "nested", value->val.nested); break;
        default: warren_panic("a header of a type that there is not: %d", value->tag);
    }
    warren_end(out);
}

static void put_optional(warren_writer *out, const char *name, handler_option_string_t text) {
    if (text.is_some) {
        warren_put_string(out, name, text.val);
    } else {
        warren_put_null(out, name);
    }
}

/* Every text of a message can be read as a C string. */
static void put_text(warren_writer *out, const char *name, warren_string text) {
    assert(text.len == 0 || strlen((const char *)text.ptr) == text.len);
    warren_put_string(out, name, text);
}

static warren_result report(const warren_message *message) {
    warren_writer out = {0};
    warren_put_object(&out, NULL);
    warren_put_string(&out, "body", (warren_string){.ptr = message->body.ptr, .len = message->body.len});
    put_optional(&out, "contentType", message->content_type);
    warren_put_object(&out, "headers");
    for (size_t at = 0; at < message->headers.len; at++) {
        put_header(&out, (const char *)message->headers.ptr[at].f0.ptr, &message->headers.ptr[at].f1);
    }
    warren_end(&out);
    put_text(&out, "exchange", message->exchange);
    put_text(&out, "routingKey", message->routing_key);
    put_text(&out, "queue", message->queue);
    put_text(&out, "consumer", message->consumer);
    put_text(&out, "messageId", message->message_id);
    put_optional(&out, "correlationId", message->correlation_id);
    put_optional(&out, "causationId", message->causation_id);
    put_optional(&out, "replyTo", message->reply_to);
    put_optional(&out, "messageType", message->message_type);
    put_optional(&out, "appId", message->app_id);
    warren_put_integer(&out, "priority", message->priority.is_some ? message->priority.val : -1);
    warren_put_integer(&out, "timestamp", message->timestamp.is_some ? (int64_t)message->timestamp.val : -1);
    warren_put_integer(&out, "attempt", message->attempt);
    warren_put_integer(&out, "maxAttempts", message->max_attempts);
    warren_put_boolean(&out, "redelivered", message->redelivered);
    warren_put_integer(&out, "deadlineMs", message->deadline_ms);
    warren_end(&out);

    warren_outgoing echo = warren_json_message(&out);
    echo.headers = message->headers;
    echo.correlation_id = (handler_option_string_t){.is_some = true, .val = warren_text("its own")};
    echo.message_type = (handler_option_string_t){.is_some = true, .val = warren_text("report")};
    echo.reply_to = (handler_option_string_t){.is_some = true, .val = warren_text("nobody")};
    echo.expiration_ms = (handler_option_u32_t){.is_some = true, .val = 600000};
    echo.priority = (handler_option_u8_t){.is_some = true, .val = 7};
    warren_published published = warren_publish("echoed", &echo);
    if (published.refused) return warren_permanent("%.*s", WARREN_S(published.why));
    return warren_ok();
}

/* Larger than it looks, so that no compiler makes a loop of it. */
static int deep(volatile int *level) {
    volatile char much[4096];
    much[0] = (char)++*level;
    if (*level < 0) return 0;
    return deep(level) + much[0];
}

/* What is told to nobody, a compiler need not allocate. */
static void *volatile kept;

static void hoard(void *(*allocate)(size_t)) {
    for (size_t size = 1 << 20;; size++) kept = memset(allocate(size), 1, size);
}

warren_result warren_handle(const warren_message *message) {
    warren_reader in;
    warren_string task = warren_get_string(&in, warren_read(&in, message), "task");
    volatile int level = 0;
    if (in.problem) return report(message);
    if (warren_is(task, "panic")) warren_panic("on purpose, %d", 7);
    if (warren_is(task, "assert")) assert(task.len == 0);
    if (warren_is(task, "abort")) abort();
    if (warren_is(task, "exit")) exit(0);
    if (warren_is(task, "deep")) return warren_permanent("%d", deep(&level));
    if (warren_is(task, "malloc")) hoard(malloc);
    if (warren_is(task, "alloc")) hoard(warren_alloc);
    printf("said by printf, %.1f\n", 1.5);
    return warren_permanent("\xFF is not UTF-8");
}
