/* What is charged, and what a human has to see first. */
#include <warren_test.h>

static warren_result assess(const char *cents, const char *token) {
    warren_test_grant("chargeCard");
    warren_message message = warren_test_message((const char *)warren_format(
        "{\"orderId\":\"o-1\",\"userId\":\"u\",\"amountCents\":%s,\"currency\":\"EUR\",\"token\":\"%s\"}", cents, token).ptr);
    return warren_handle(&message);
}

TEST(a_small_payment_goes_on) {
    CHECK(assess("1890", "tok_ok").outcome == WARREN_OK);
    CHECK_TEXT(warren_test_publications()[0].publisher, "chargeCard");
    CHECK_TEXT(warren_test_publications()[0].body,
               "{\"orderId\":\"o-1\",\"userId\":\"u\",\"amountCents\":1890,\"currency\":\"EUR\",\"token\":\"tok_ok\"}");
    CHECK(warren_test_publications()[0].message.headers.ptr[0].f1.val.integer == 0);
}

TEST(a_large_payment_goes_on_with_a_score) {
    CHECK(assess("100001", "tok_ok").outcome == WARREN_OK);
    CHECK(warren_test_publications()[0].message.headers.ptr[0].f1.val.integer == 50);
}

TEST(a_human_sees_what_is_risky) {
    CHECK(assess("500001", "tok_ok").outcome == WARREN_UNAUTHORIZED);
    warren_result stolen = assess("1", "tok_stolen");
    CHECK(stolen.outcome == WARREN_UNAUTHORIZED);
    CHECK_TEXT(stolen.text, "a human has to look at order o-1: risk 100");
    CHECK(warren_test_publication_count() == 0);
}

TEST(what_is_no_payment_is_permanent) {
    CHECK(assess("\"1890\"", "tok_ok").outcome == WARREN_PERMANENT);
}

int main(void) {
    RUN(a_small_payment_goes_on);
    RUN(a_large_payment_goes_on_with_a_score);
    RUN(a_human_sees_what_is_risky);
    RUN(what_is_no_payment_is_permanent);
    return warren_test_end();
}
