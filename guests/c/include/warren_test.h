/*
 * Test a handler on the machine you work on, without a host: a double of what the host gives, which remembers what was
 * published and logged.
 *
 *     #include <warren_test.h>
 *
 *     TEST(an_order_is_accepted) {
 *         warren_test_grant("orderAccepted");
 *         warren_message message = warren_test_message("{\"id\": \"o-1\"}");
 *         CHECK(warren_handle(&message).outcome == WARREN_OK);
 *         CHECK_TEXT(warren_test_publications()[0].body, "{\"id\":\"o-1\"}");
 *     }
 *
 *     int main(void) {
 *         RUN(an_order_is_accepted);
 *         return warren_test_end();
 *     }
 *
 * `guests/c/build --test FOLDER` compiles it with the sanitizers for addresses and undefined behaviour, and runs it.
 * Each test begins with nothing granted and nothing published; what it was given is freed when it ends.
 */
#ifndef WARREN_TEST_H
#define WARREN_TEST_H

#include "warren.h"

#define TEST(name) static void name(void)
#define RUN(name) warren_test_run(#name, name)
#define CHECK(condition) warren_test_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_TEXT(text, expected) warren_test_check_text((text), (expected), #text, __FILE__, __LINE__)

/* A message with this JSON as its body, at its first attempt of three. Change it as you need. */
warren_message warren_test_message(const char *body);
/* Adds a header to it. */
void warren_test_header(warren_message *message, const char *name, warren_header_value value);

/* From here on the host takes what is published through this publisher. */
void warren_test_grant(const char *publisher);
/* From here on the host knows this publisher, and does not grant it. Others it does not know at all. */
void warren_test_deny(const char *publisher);

typedef struct {
    warren_string publisher, body;
    warren_outgoing message;
} warren_publication;

/* What was published, in order. */
size_t warren_test_publication_count(void);
const warren_publication *warren_test_publications(void);
/* The text in a header of what was published; an empty one if there is none. */
warren_string warren_test_header_of(const warren_publication *publication, const char *name);

/* What was logged, one line each: "info: order accepted orderId=o-1". */
size_t warren_test_log_count(void);
const warren_string *warren_test_log(void);

/* For the macros. */
void warren_test_run(const char *name, void (*test)(void));
int warren_test_end(void);
void warren_test_check(bool holds, const char *condition, const char *file, int line);
void warren_test_check_text(warren_string text, const char *expected, const char *what, const char *file, int line);

#endif
