/*
 * The test double of the host, for the machine you work on. It stands in for the bindings, and is not compiled into a
 * component.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/warren_test.h"
#include "internal.h"

enum { MAX = 1000 }; /* of publishers, publications, log lines: of each, in one test */

static struct {
    const char *granted[MAX], *denied[MAX];
    size_t granted_count, denied_count;
    warren_publication publications[MAX];
    size_t publication_count;
    warren_string log[MAX];
    size_t log_count;
} host;

static int failed_checks, failed_tests, tests;

static size_t next(size_t *count, const char *what) {
    if (*count == MAX) {
        fprintf(stderr, "the test double holds at most %d %s\n", MAX, what);
        exit(2);
    }
    return (*count)++;
}

static bool among(warren_string name, const char *const *names, size_t count) {
    for (size_t at = 0; at < count; at++) {
        if (warren_is(name, names[at])) return true;
    }
    return false;
}

void warren_test_grant(const char *publisher) { host.granted[next(&host.granted_count, "publishers")] = publisher; }

void warren_test_deny(const char *publisher) { host.denied[next(&host.denied_count, "publishers")] = publisher; }

bool warren_handler_publisher_publish(handler_string_t *publisher, warren_handler_publisher_outgoing_t *message,
                                      handler_string_t *id, warren_handler_publisher_publish_error_t *error) {
    if (!among(*publisher, host.granted, host.granted_count)) {
        bool known = among(*publisher, host.denied, host.denied_count);
        error->tag = known ? WARREN_HANDLER_TYPES_PUBLISH_ERROR_NOT_GRANTED
                           : WARREN_HANDLER_TYPES_PUBLISH_ERROR_UNKNOWN_PUBLISHER;
        return false;
    }
    size_t at = next(&host.publication_count, "publications");
    warren_string body = warren_copy(message->body.ptr, message->body.len);
    host.publications[at] = (warren_publication){.publisher = *publisher, .body = body, .message = *message};
    char *text = malloc(32); /* as the host does it: the handler's side frees it */
    if (!text) abort();
    id->len = (size_t)snprintf(text, 32, "id-%zu", at);
    id->ptr = (uint8_t *)text;
    return true;
}

void warren_handler_logging_log(warren_handler_logging_level_t level, handler_string_t *message,
                                handler_list_tuple2_string_string_t *fields) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    warren_string line = warren_format("%s: %.*s", levels[level], WARREN_S(*message));
    for (size_t at = 0; at < fields->len; at++) {
        line = warren_format("%.*s %.*s=%.*s", WARREN_S(line), WARREN_S(fields->ptr[at].f0),
                             WARREN_S(fields->ptr[at].f1));
    }
    host.log[next(&host.log_count, "log lines")] = line;
}

size_t warren_test_publication_count(void) { return host.publication_count; }

const warren_publication *warren_test_publications(void) { return host.publications; }

size_t warren_test_log_count(void) { return host.log_count; }

const warren_string *warren_test_log(void) { return host.log; }

warren_string warren_test_header_of(const warren_publication *publication, const char *name) {
    warren_message message = {.headers = publication->message.headers};
    warren_string text = warren_text("");
    warren_text_header(&message, name, &text);
    return text;
}

warren_message warren_test_message(const char *body) {
    warren_string text = warren_text(body);
    return (warren_message){.body = {.ptr = text.ptr, .len = text.len},
                            .exchange = warren_text("test"),
                            .routing_key = warren_text("test"),
                            .queue = warren_text("test"),
                            .consumer = warren_text("test"),
                            .message_id = warren_text("message-1"),
                            .attempt = 1,
                            .max_attempts = 3,
                            .deadline_ms = 5000};
}

void warren_test_header(warren_message *message, const char *name, warren_header_value value) {
    warren_outgoing outgoing = {.headers = message->headers};
    warren_add_header(&outgoing, name, value);
    message->headers = outgoing.headers;
}

void warren_test_run(const char *name, void (*test)(void)) {
    int failed_before = failed_checks;
    memset(&host, 0, sizeof host);
    test();
    warren_free_all();
    bool well = failed_checks == failed_before;
    tests += 1;
    failed_tests += well ? 0 : 1;
    printf("%s %s\n", well ? "ok    " : "FAILED", name);
}

int warren_test_end(void) {
    printf("%d tests, %d failed\n", tests, failed_tests);
    return failed_tests == 0 ? 0 : 1;
}

void warren_test_check(bool holds, const char *condition, const char *file, int line) {
    if (holds) return;
    failed_checks += 1;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
}

void warren_test_check_text(warren_string text, const char *expected, const char *what, const char *file, int line) {
    if (warren_is(text, expected)) return;
    failed_checks += 1;
    fprintf(stderr, "%s:%d: %s\n  is       %.*s\n  expected %s\n", file, line, what, WARREN_S(text), expected);
}
