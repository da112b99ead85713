/*
 * `assessRisk`: somebody wants to be paid for, so the risk is looked at first. What is too risky goes to a human and is
 * not charged; the rest goes on, with its score in a header.
 *
 * Keeps nothing: the score follows from the message alone.
 */
#include <warren.h>

enum { TOO_RISKY = 80 };

static const int64_t high_cents = 100000, highest_cents = 500000;

typedef struct {
    warren_string order_id, user_id, currency, token;
    int64_t cents;
} payment;

/* From 0 to 100. */
static int64_t score(const payment *payment) {
    if (warren_is(payment->token, "tok_stolen")) return 100;
    if (payment->cents > highest_cents) return 90;
    return payment->cents > high_cents ? 50 : 0;
}

static warren_outgoing charge(const payment *payment) {
    warren_writer out = {0};
    warren_put_object(&out, NULL);
    warren_put_string(&out, "orderId", payment->order_id);
    warren_put_string(&out, "userId", payment->user_id);
    warren_put_integer(&out, "amountCents", payment->cents);
    warren_put_string(&out, "currency", payment->currency);
    warren_put_string(&out, "token", payment->token);
    warren_end(&out);
    return warren_json_message(&out);
}

warren_result warren_handle(const warren_message *message) {
    warren_reader in;
    const warren_json *body = warren_read(&in, message);
    payment payment = {.order_id = warren_get_string(&in, body, "orderId"),
                       .user_id = warren_get_string(&in, body, "userId"),
                       .currency = warren_get_string(&in, body, "currency"),
                       .token = warren_get_string(&in, body, "token"),
                       .cents = warren_get_integer(&in, body, "amountCents")};
    if (in.problem) return warren_permanent("payload: %s", in.problem);

    int64_t risk = score(&payment);
    warren_debug("risk assessed", {"orderId", payment.order_id}, {"score", warren_format("%" PRId64, risk)});
    if (risk >= TOO_RISKY) {
        return warren_unauthorized("a human has to look at order %.*s: risk %" PRId64, WARREN_S(payment.order_id), risk);
    }
    warren_outgoing command = charge(&payment);
    warren_add_header(&command, "risk-score", warren_header_integer(risk));
    warren_published published = warren_publish("chargeCard", &command);
    if (published.refused) return warren_permanent("publishing was refused: %.*s", WARREN_S(published.why));
    return warren_ok();
}
