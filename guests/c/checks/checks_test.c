/* The SDK itself: JSON from strangers, JSON for others, texts, memory. Run by guests/c/check, with the sanitizers. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <warren_test.h>

static const char *problem_of(const char *json, size_t length) {
    /* A copy of just this size, so that the sanitizer sees a byte read too many. */
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (!exact) abort();
    memcpy(exact, json, length);
    warren_reader in;
    const warren_json *value = warren_read_bytes(&in, exact, length);
    CHECK((value == NULL) == (in.problem != NULL));
    free(exact);
    return in.problem;
}

#define SOUND(json) CHECK(problem_of(json, sizeof json - 1) == NULL)
#define UNSOUND(json) CHECK(problem_of(json, sizeof json - 1) != NULL)

TEST(what_is_json_is_taken) {
    SOUND("0"), SOUND("-0"), SOUND("-1.5e+10"), SOUND("1E400"), SOUND("\"\""), SOUND("null"), SOUND(" true\r\n\t");
    SOUND("[]"), SOUND("[ ]"), SOUND("{}"), SOUND("[[],{}]"), SOUND("{\"\":0,\"\":1}"), SOUND("[1 , 2]");
    SOUND("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""), SOUND("\"\\ud83d\\udc07\""), SOUND("\"\x7f\"");
    SOUND("\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"");
}

TEST(what_is_none_is_refused) {
    UNSOUND(""), UNSOUND(" "), UNSOUND("\0"), UNSOUND("01"), UNSOUND("+1"), UNSOUND(".5"), UNSOUND("1."), UNSOUND("-");
    UNSOUND("1e"), UNSOUND("1e+"), UNSOUND("0x1"), UNSOUND("NaN"), UNSOUND("nul"), UNSOUND("nulls"), UNSOUND("True");
    UNSOUND("["), UNSOUND("]"), UNSOUND("[1"), UNSOUND("[1,]"), UNSOUND("[,1]"), UNSOUND("[1 2]"), UNSOUND("[1}");
    UNSOUND("{"), UNSOUND("{\"a\"}"), UNSOUND("{\"a\":}"), UNSOUND("{\"a\":1,}"), UNSOUND("{a:1}"), UNSOUND("{1:1}");
    UNSOUND("\""), UNSOUND("\"\\"), UNSOUND("\"\\\""), UNSOUND("\"\\x\""), UNSOUND("\"\\u12\""), UNSOUND("\"\\u12g4\"");
    UNSOUND("\"\\ud83d\""), UNSOUND("\"\\udc07\""), UNSOUND("\"\\ud83d\\u0041\""), UNSOUND("\"\\ud83d\\ud83d\"");
    UNSOUND("\"\\ud83dx\""), UNSOUND("\"\n\""), UNSOUND("\"\0\""), UNSOUND("1 1"), UNSOUND("{}{}"), UNSOUND("1\0");
    UNSOUND("\"\x80\""), UNSOUND("\"\xC0\x80\""), UNSOUND("\"\xC2\""), UNSOUND("\"\xE0\x80\x80\"");
    UNSOUND("\"\xED\xA0\x80\""), UNSOUND("\"\xF0\x80\x80\x80\""), UNSOUND("\"\xF4\x90\x80\x80\""), UNSOUND("\"\xFF\"");
    UNSOUND("\xEF\xBB\xBF{}"), UNSOUND("\"\\\0\""), UNSOUND("'a'"), UNSOUND("/* */1");
}

TEST(nesting_is_bounded) {
    char deep[200000];
    for (unsigned depth = 63; depth <= 65; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        CHECK((problem_of(deep, 2 * depth) == NULL) == (depth <= 64));
    }
    memset(deep, '[', sizeof deep);
    CHECK(problem_of(deep, sizeof deep) != NULL);
    for (size_t at = 0; at + 5 <= sizeof deep; at += 5) memcpy(deep + at, "{\"\":[", 5);
    CHECK(problem_of(deep, sizeof deep) != NULL);
}

/* Every beginning of a text, and a great many of its corruptions, have to be read without a fault, whatever they are. */
TEST(damage_is_survived) {
    static const char whole[] = "{\"a\":[1,-2.5e3,{\"b\":\"\\u00e9\\ud83d\\udc07\xC3\xA9\\\\\"}],\"c\":null,\"d\":true,\"e\":\"\\\"\"}";
    SOUND("{\"a\":[1,-2.5e3,{\"b\":\"\\u00e9\\ud83d\\udc07\xC3\xA9\\\\\"}],\"c\":null,\"d\":true,\"e\":\"\\\"\"}");
    for (size_t length = 0; length < sizeof whole - 1; length++) CHECK(problem_of(whole, length) != NULL);
    static const char spice[] = "\"\\{}[],:u0d8cfFeE+-. tn\0\x80\xC3\xF0\xFF\x1F";
    uint32_t random = 1;
    for (int round = 0; round < 200000; round++) {
        char damaged[sizeof whole - 1];
        memcpy(damaged, whole, sizeof damaged);
        size_t length = sizeof damaged;
        for (int hits = 0; hits < 3; hits++) {
            random = random * 1664525 + 1013904223;
            damaged[(random >> 8) % length] = spice[(random >> 20) % (sizeof spice - 1)];
        }
        if (random & 1) length = (random >> 4) % length;
        (void)problem_of(damaged, length);
    }
}

TEST(values_are_what_was_written) {
    warren_reader in;
    static const char json[] = "{\"text\":\"a\\u0000b\",\"low\":-9223372036854775808,\"high\":9223372036854775807,\"over\":9223372036854775808,"
                               "\"exact\":9007199254740993,\"part\":1.0,\"float\":-2.5e-3,\"yes\":true,\"none\":null,\"list\":[1,[2],\"x\"],"
                               "\"twice\":1,\"twice\":2}";
    const warren_json *object = warren_read_bytes(&in, (const uint8_t *)json, sizeof json - 1);
    warren_string text = warren_get_string(&in, object, "text");
    CHECK(text.len == 3 && memcmp(text.ptr, "a\0b", 4) == 0);
    CHECK(warren_get_integer(&in, object, "low") == INT64_MIN);
    CHECK(warren_get_integer(&in, object, "high") == INT64_MAX);
    CHECK(warren_get_integer(&in, object, "exact") == 9007199254740993);
    CHECK(warren_get_integer(&in, object, "twice") == 2);
    CHECK(warren_get_number(&in, object, "float") == -0.0025);
    CHECK(warren_get_boolean(&in, object, "yes"));
    bool there = true;
    CHECK(warren_get_optional_string(&in, object, "none", &there).len == 0 && !there);
    const warren_json *item = warren_get_elements(&in, object, "list");
    CHECK(item->kind == WARREN_NUMBER && item->next->kind == WARREN_ARRAY && item->next->next->kind == WARREN_STRING);
    CHECK(item->next->next->next == NULL && in.problem == NULL);
    warren_get_integer(&in, object, "over");
    CHECK_TEXT(warren_text(in.problem), "`over` is not an integer of 64 bits");
    warren_get_integer(&in, object, "missing");
    CHECK_TEXT(warren_text(in.problem), "`over` is not an integer of 64 bits"); /* the first stays */
    in.problem = NULL;
    warren_get_integer(&in, object, "part");
    CHECK_TEXT(warren_text(in.problem), "`part` is not an integer of 64 bits");
    in.problem = NULL;
    warren_get_string(&in, object, "missing");
    CHECK_TEXT(warren_text(in.problem), "`missing` is missing");
    in.problem = NULL;
    warren_get_string(&in, warren_get_elements(&in, object, "list"), "x");
    CHECK_TEXT(warren_text(in.problem), "there is no object to find `x` in");
}

TEST(what_is_written_can_be_read) {
    warren_writer out = {0};
    warren_put_object(&out, NULL);
    warren_put_array(&out, "list");
    warren_put_integer(&out, NULL, INT64_MIN);
    warren_put_number(&out, NULL, 0.1);
    warren_put_boolean(&out, NULL, false);
    warren_put_null(&out, NULL);
    warren_put_object(&out, NULL);
    warren_end(&out);
    warren_end(&out);
    warren_put_string(&out, "a\"\n", (warren_string){.ptr = (uint8_t *)"\0\x1f\\\xF0\x9F\x90\x87", .len = 7});
    warren_end(&out);
    warren_string text = warren_written(&out);
    CHECK_TEXT(text, "{\"list\":[-9223372036854775808,0.10000000000000001,false,null,{}],\"a\\\"\\n\":\"\\u0000\\u001f\\\\\xF0\x9F\x90\x87\"}");
    CHECK(problem_of((const char *)text.ptr, text.len) == NULL);
}

static void an_unnamed_value(void) {
    warren_writer out = {0};
    warren_put_object(&out, NULL);
    warren_put_null(&out, NULL);
}

static void an_end_too_many(void) {
    warren_writer out = {0};
    warren_end(&out);
}

static void two_values(void) {
    warren_writer out = {0};
    warren_put_null(&out, NULL);
    warren_put_null(&out, NULL);
}

static void not_a_number(void) {
    warren_writer out = {0};
    warren_put_number(&out, NULL, NAN);
}

static void bad_text(void) {
    warren_writer out = {0};
    warren_put_string(&out, NULL, warren_text("\xFF"));
}

static void too_deep(void) {
    warren_writer out = {0};
    for (;;) warren_put_array(&out, NULL);
}

static void a_bad_header(void) {
    warren_outgoing message = {0};
    warren_test_grant("p");
    warren_add_header(&message, "h", warren_header_text(warren_text("\xFF")));
    warren_publish("p", &message);
}

static void all_memory(void) { warren_alloc(SIZE_MAX / 2 - 100); }

/* Whether it ends with `abort`, which is a trap in a component. */
static bool aborts(void (*what)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        what();
        _exit(0);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(mistakes_panic) {
    CHECK(aborts(an_unnamed_value));
    CHECK(aborts(an_end_too_many));
    CHECK(aborts(two_values));
    CHECK(aborts(not_a_number));
    CHECK(aborts(bad_text));
    CHECK(aborts(too_deep));
    CHECK(aborts(a_bad_header));
    CHECK(aborts(all_memory));
}

TEST(what_is_told_is_utf8) {
    CHECK_TEXT(warren_permanent("bad: %s", "a\xFFz").text, "bad: a\xEF\xBF\xBDz");
    warren_info("line \xC3", {"field", warren_text("\x80")});
    CHECK_TEXT(warren_test_log()[0], "info: line \xEF\xBF\xBD field=\xEF\xBF\xBD");
    warren_warn("no fields");
    CHECK_TEXT(warren_test_log()[1], "warn: no fields");
}

TEST(a_header_is_replaced_by_one_of_its_name) {
    warren_outgoing message = {0};
    warren_test_grant("p");
    for (int at = 0; at < 100; at++) {
        char name[8];
        snprintf(name, sizeof name, "h%d", at % 10);
        warren_add_header(&message, (const char *)warren_format("%s", name).ptr, warren_header_integer(at));
    }
    warren_published published = warren_publish("p", &message);
    CHECK(!published.refused && message.headers.len == 10);
    CHECK_TEXT(published.id, "id-0");
    CHECK(message.headers.ptr[3].f1.val.integer == 93);
    CHECK_TEXT(warren_publish("q", &message).why, "unknown publisher");
}

int main(void) {
    RUN(what_is_json_is_taken);
    RUN(what_is_none_is_refused);
    RUN(nesting_is_bounded);
    RUN(damage_is_survived);
    RUN(values_are_what_was_written);
    RUN(what_is_written_can_be_read);
    RUN(mistakes_panic);
    RUN(what_is_told_is_utf8);
    RUN(a_header_is_replaced_by_one_of_its_name);
    return warren_test_end();
}
