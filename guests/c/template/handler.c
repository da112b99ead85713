/*
 * Accepts an order: checks it, logs it, and publishes that it was accepted. Copy this folder and make it yours:
 *
 *     guests/c/build FOLDER           builds FOLDER/<name of the folder>.wasm
 *     guests/c/build --test FOLDER    runs its tests on the machine you work on
 */
#include <warren.h>

typedef struct {
    warren_string id;
    int64_t amount; /* in cents */
    warren_string customer;
    bool has_note;
    warren_string note;
} order;

/* What is not as it should be, or NULL. */
static const char *read_order(const warren_message *message, order *into) {
    warren_reader in;
    const warren_json *body = warren_read(&in, message);
    into->id = warren_get_string(&in, body, "orderId");
    into->amount = warren_get_integer(&in, body, "amount");
    into->customer = warren_get_string(&in, body, "customer");
    into->note = warren_get_optional_string(&in, body, "note", &into->has_note);
    return in.problem;
}

static warren_outgoing accepted(const order *order, const warren_message *message) {
    warren_writer out = {0};
    warren_put_object(&out, NULL);
    warren_put_string(&out, "orderId", order->id);
    warren_put_integer(&out, "amount", order->amount);
    warren_put_string(&out, "customer", order->customer);
    warren_put_integer(&out, "attempt", message->attempt);
    if (order->has_note) warren_put_string(&out, "note", order->note);
    warren_end(&out);

    warren_outgoing outgoing = warren_json_message(&out);
    warren_add_header(&outgoing, "source", warren_header_text(warren_text("template")));
    warren_string tenant;
    if (warren_text_header(message, "tenant", &tenant)) {
        warren_add_header(&outgoing, "tenant", warren_header_text(tenant));
    }
    return outgoing;
}

/* `auditTrail` is in the contract, but not granted to this consumer. */
static warren_result audit(const order *order) {
    warren_writer out = {0};
    warren_put_object(&out, NULL);
    warren_put_string(&out, "orderId", order->id);
    warren_end(&out);
    warren_outgoing outgoing = warren_json_message(&out);
    warren_published published = warren_publish("auditTrail", &outgoing);
    if (published.refused) return warren_permanent("publishing was refused: %.*s", WARREN_S(published.why));
    return warren_ok();
}

warren_result warren_handle(const warren_message *message) {
    order order;
    const char *problem = read_order(message, &order);
    if (problem) return warren_permanent("payload: %s", problem);
    if (order.amount <= 0) return warren_permanent("amount must be positive");

    /* What a customer that does not exist outside of tests makes the handler do. */
    if (warren_is(order.customer, "busy")) return warren_rate_limited(1500, "customer is busy");
    if (warren_is(order.customer, "flaky") && message->attempt < 2) return warren_transient("try again");
    if (warren_is(order.customer, "forbidden")) return warren_unauthorized("not our customer");
    /* A mistake in the handler is a trap: retried within the contract's bound, then dead-lettered with this text. */
    if (warren_is(order.customer, "crash")) warren_panic("the handler has a bug");

    if (warren_is(order.customer, "unlisted")) return audit(&order);

    warren_info("order accepted", {"orderId", order.id}, {"amount", warren_format("%" PRId64, order.amount)});
    warren_outgoing outgoing = accepted(&order, message);
    warren_published published = warren_publish("orderAccepted", &outgoing);
    if (published.refused) return warren_permanent("publishing was refused: %.*s", WARREN_S(published.why));
    return warren_ok();
}
