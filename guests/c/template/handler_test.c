/* What the handler says to which message. Runs on the machine you work on, with a double of the host. */
#include <warren_test.h>

static warren_message order(const char *customer, const char *more) {
    const char *body = "{\"orderId\": \"o-1\", \"amount\": 1890, \"customer\": \"%s\"%s}";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return warren_test_message((const char *)warren_format(body, customer, more).ptr);
#pragma GCC diagnostic pop
}

TEST(an_order_is_accepted) {
    warren_test_grant("orderAccepted");
    warren_message message = order("Ada", "");
    warren_test_header(&message, "tenant", warren_header_text(warren_text("north")));
    CHECK(warren_handle(&message).outcome == WARREN_OK);
    CHECK(warren_test_publication_count() == 1);
    const warren_publication *published = &warren_test_publications()[0];
    CHECK_TEXT(published->publisher, "orderAccepted");
    CHECK_TEXT(published->body, "{\"orderId\":\"o-1\",\"amount\":1890,\"customer\":\"Ada\",\"attempt\":1}");
    CHECK_TEXT(warren_test_header_of(published, "source"), "template");
    CHECK_TEXT(warren_test_header_of(published, "tenant"), "north");
    CHECK_TEXT(warren_test_log()[0], "info: order accepted orderId=o-1 amount=1890");
}

TEST(a_note_comes_out_as_it_went_in) {
    warren_test_grant("orderAccepted");
    warren_message message = order("Ada", ", \"note\": \"caf\\u00e9 \xF0\x9F\x90\x87 \\\"quoted\\\" \\u0000\"");
    CHECK(warren_handle(&message).outcome == WARREN_OK);
    CHECK_TEXT(warren_test_publications()[0].body,
               "{\"orderId\":\"o-1\",\"amount\":1890,\"customer\":\"Ada\",\"attempt\":1,"
               "\"note\":\"caf\xC3\xA9 \xF0\x9F\x90\x87 \\\"quoted\\\" \\u0000\"}");
}

TEST(what_is_no_order_is_permanent) {
    const char *const bodies[] = {"",
                                  "{",
                                  "7",
                                  "{\"orderId\": \"o-1\"}",
                                  "{\"orderId\": 1, \"amount\": 1, \"customer\": \"Ada\"}",
                                  "{\"orderId\": \"o-1\", \"amount\": 1.5, \"customer\": \"Ada\"}",
                                  "{\"orderId\": \"o-1\", \"amount\": 1, \"customer\": \"Ada\", \"note\": 7}"};
    for (size_t at = 0; at < sizeof bodies / sizeof *bodies; at++) {
        warren_message message = warren_test_message(bodies[at]);
        warren_result result = warren_handle(&message);
        CHECK(result.outcome == WARREN_PERMANENT);
        result.text.len = result.text.len < 9 ? result.text.len : 9;
        CHECK_TEXT(result.text, "payload: ");
    }
}

TEST(nothing_is_sold_for_nothing) {
    warren_message message = warren_test_message("{\"orderId\": \"o-1\", \"amount\": 0, \"customer\": \"Ada\"}");
    warren_result result = warren_handle(&message);
    CHECK(result.outcome == WARREN_PERMANENT);
    CHECK_TEXT(result.text, "amount must be positive");
}

TEST(failures_have_their_classes) {
    warren_message busy = order("busy", ""), flaky = order("flaky", ""), forbidden = order("forbidden", "");
    warren_result result = warren_handle(&busy);
    CHECK(result.outcome == WARREN_RATE_LIMITED && result.retry_after_ms == 1500);
    CHECK(warren_handle(&flaky).outcome == WARREN_TRANSIENT);
    flaky.attempt = 2;
    warren_test_grant("orderAccepted");
    CHECK(warren_handle(&flaky).outcome == WARREN_OK);
    CHECK(warren_handle(&forbidden).outcome == WARREN_UNAUTHORIZED);
}

TEST(a_refused_message_is_permanent) {
    warren_test_deny("auditTrail");
    warren_message message = order("unlisted", "");
    warren_result result = warren_handle(&message);
    CHECK(result.outcome == WARREN_PERMANENT);
    CHECK_TEXT(result.text, "publishing was refused: not granted");
    CHECK(warren_test_publication_count() == 0);
}

int main(void) {
    RUN(an_order_is_accepted);
    RUN(a_note_comes_out_as_it_went_in);
    RUN(what_is_no_order_is_permanent);
    RUN(nothing_is_sold_for_nothing);
    RUN(failures_have_their_classes);
    RUN(a_refused_message_is_permanent);
    return warren_test_end();
}
