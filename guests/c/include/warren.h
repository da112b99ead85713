/*
 * Write a message handler for Warren in C: one function.
 *
 *     #include <warren.h>
 *
 *     warren_result warren_handle(const warren_message *message) {
 *         warren_reader in;
 *         const warren_json *order = warren_read(&in, message);
 *         warren_string id = warren_get_string(&in, order, "id");
 *         if (in.problem) return warren_permanent("payload: %s", in.problem);
 *         warren_info("order accepted", {"orderId", id});
 *         return warren_ok();
 *     }
 *
 * The function says what the message means; what happens to it is the contract's and the host's business.
 *
 * Memory. Everything that a function of this header gives you, and the message itself, lives until `warren_handle`
 * returns; the SDK frees it then. You free nothing of it and keep nothing of it in a static variable. What you allocate
 * with `malloc` is yours to free. Out of memory, in either, ends the call with a text on stderr: an allocation never
 * gives NULL (NULL is an address like any other to WebAssembly, and writing there would go unnoticed).
 *
 * Texts are UTF-8, with their length; a NUL follows that is not part of them, so that C functions can read them.
 */
#ifndef WARREN_H
#define WARREN_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bindings/handler.h"

/* --- The message and the words of wit/handler.wit ------------------------------------------------------------------ */

/* A text: `ptr`, `len`. */
typedef handler_string_t warren_string;
/* A message; its fields are those of the record `message` in wit/handler.wit. Optional ones have `is_some` and `val`. */
typedef warren_handler_types_message_t warren_message;
/* The value of a header; `tag` is one of WARREN_HANDLER_TYPES_HEADER_VALUE_*. */
typedef warren_handler_types_header_value_t warren_header_value;
/* A message to publish. Begin with `warren_json_message` or with `{0}`: what is not set, the host sets. */
typedef warren_handler_types_outgoing_t warren_outgoing;

/* What you write. */
typedef struct warren_result warren_result;
warren_result warren_handle(const warren_message *message);

/* The header of this name; NULL if there is none. */
const warren_header_value *warren_header(const warren_message *message, const char *name);
/* The text in the header of this name; false if there is none, or it is not a text. */
bool warren_text_header(const warren_message *message, const char *name, warren_string *text);

/* --- What the handler says of the message -------------------------------------------------------------------------- */

enum warren_outcome { WARREN_OK, WARREN_PERMANENT, WARREN_TRANSIENT, WARREN_RATE_LIMITED, WARREN_UNAUTHORIZED };

struct warren_result {
    enum warren_outcome outcome;
    uint32_t retry_after_ms; /* with WARREN_RATE_LIMITED */
    warren_string text;      /* goes into the log and, if it comes to that, the dead letter */
};

#define WARREN_PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* Done: the message is acknowledged once everything published is confirmed. */
warren_result warren_ok(void);
/* No retry can help: dead-letter it now. */
warren_result warren_permanent(const char *format, ...) WARREN_PRINTF(1, 2);
/* A retry may help: retry as the contract says. */
warren_result warren_transient(const char *format, ...) WARREN_PRINTF(1, 2);
/* A retry will help, but not sooner than in so many milliseconds. */
warren_result warren_rate_limited(uint32_t retry_after_ms, const char *format, ...) WARREN_PRINTF(2, 3);
/* We were not allowed to: dead-letter it now, and tell a human. */
warren_result warren_unauthorized(const char *format, ...) WARREN_PRINTF(1, 2);
/* This cannot be: says why in the log and on stderr, and traps. A fault: retried within the contract's bound. */
_Noreturn void warren_panic(const char *format, ...) WARREN_PRINTF(1, 2);

/* --- Texts and memory ---------------------------------------------------------------------------------------------- */

/* For printf: "%.*s" takes WARREN_S(text). */
#define WARREN_S(text) (int)(text).len, (const char *)(text).ptr

/* The text in a C string, which is not copied. */
warren_string warren_text(const char *text);
/* A text made by printf. */
warren_string warren_format(const char *format, ...) WARREN_PRINTF(1, 2);
/* Whether a text is this C string. */
bool warren_is(warren_string text, const char *other);
/* Zeroed memory until the handler returns. Never NULL. */
void *warren_alloc(size_t size);

/* --- Reading JSON -------------------------------------------------------------------------------------------------- */

enum warren_json_kind { WARREN_NULL, WARREN_BOOLEAN, WARREN_NUMBER, WARREN_STRING, WARREN_ARRAY, WARREN_OBJECT };

typedef struct warren_json warren_json;
struct warren_json {
    enum warren_json_kind kind;
    bool boolean;             /* of a boolean */
    warren_string text;       /* of a string: what it says; of a number: as it was written */
    warren_string key;        /* in an object: its name */
    const warren_json *first; /* of an array or object: its first element; NULL if it is empty */
    const warren_json *next;  /* the next element of the array or object that this one is in */
};

/* How reading goes. `problem` is the first thing that did not fit, or NULL. Reading on after that is harmless: every
 * `warren_get` gives nothing (a text of length 0, 0, false, NULL), and the first problem stays. So ask once, at the end. */
typedef struct {
    const char *problem;
} warren_reader;

/* The body of the message, which has to be JSON; NULL where it is not. Values nest at most 64 deep. Where an object has
 * a name twice, the last counts. */
const warren_json *warren_read(warren_reader *reader, const warren_message *message);
/* The same, of any bytes. */
const warren_json *warren_read_bytes(warren_reader *reader, const uint8_t *bytes, size_t length);

/* The value of this name in an object; a problem if there is none, or it is of another kind. An integer is a number
 * without fraction and exponent that fits 64 bits. */
warren_string warren_get_string(warren_reader *reader, const warren_json *object, const char *name);
int64_t warren_get_integer(warren_reader *reader, const warren_json *object, const char *name);
double warren_get_number(warren_reader *reader, const warren_json *object, const char *name);
bool warren_get_boolean(warren_reader *reader, const warren_json *object, const char *name);
const warren_json *warren_get_object(warren_reader *reader, const warren_json *object, const char *name);
/* The first element of the array of this name; NULL if it is empty:
 * for (const warren_json *item = warren_get_elements(&in, order, "items"); item; item = item->next) ... */
const warren_json *warren_get_elements(warren_reader *reader, const warren_json *object, const char *name);
/* As `warren_get_string`, but what is missing or null is no problem: `*there` tells. */
warren_string warren_get_optional_string(warren_reader *reader, const warren_json *object, const char *name, bool *there);
/* The value of this name, of any kind; NULL if there is none. */
const warren_json *warren_find(const warren_json *object, const char *name);

/* --- Writing JSON -------------------------------------------------------------------------------------------------- */

/* Begin with `{0}`. */
typedef struct {
    char *bytes;
    size_t length, capacity;
    unsigned depth;
    uint64_t filled, objects; /* a bit for each level: whether something is in it already, whether it is an object */
} warren_writer;

/* Each writes one value; `name` is its name in the object being written, and NULL in an array or at the top. What makes
 * no JSON (a name too few, a level too many, a text that is not UTF-8, a number that is none) is a mistake in the
 * handler, and panics. */
void warren_put_object(warren_writer *writer, const char *name); /* its values follow, then `warren_end` */
void warren_put_array(warren_writer *writer, const char *name);  /* its elements follow, then `warren_end` */
void warren_end(warren_writer *writer);
void warren_put_string(warren_writer *writer, const char *name, warren_string text);
void warren_put_integer(warren_writer *writer, const char *name, int64_t value);
void warren_put_number(warren_writer *writer, const char *name, double value);
void warren_put_boolean(warren_writer *writer, const char *name, bool value);
void warren_put_null(warren_writer *writer, const char *name);
/* What was written; every level has to be ended. */
warren_string warren_written(const warren_writer *writer);

/* --- Publishing ---------------------------------------------------------------------------------------------------- */

/* A message with this JSON as its body. */
warren_outgoing warren_json_message(const warren_writer *writer);
/* Adds a header, or replaces the one of this name. */
void warren_add_header(warren_outgoing *message, const char *name, warren_header_value value);
/* The value of a header: a text, an integer, a boolean. For the others, fill in a `warren_header_value`. */
warren_header_value warren_header_text(warren_string text);
warren_header_value warren_header_integer(int64_t value);
warren_header_value warren_header_boolean(bool value);

/* What the host says to a message: the id that it will have, or why it is refused. */
typedef struct {
    bool refused;
    warren_string id;
    warren_string why; /* "not granted", "unknown publisher", "invalid: ...", "too many: ...", "too large: ..." */
} warren_published;

/* Publishes through a publisher, event or command of the contract, when and if the handler returns `warren_ok`. */
warren_published warren_publish(const char *publisher, const warren_outgoing *message);

/* --- Logging ------------------------------------------------------------------------------------------------------- */

enum warren_level { WARREN_TRACE, WARREN_DEBUG, WARREN_INFO, WARREN_WARN, WARREN_ERROR };

typedef struct {
    const char *name;
    warren_string value;
} warren_field;

/* Logs a text with fields, which end with one that has no name. The host adds consumer, queue, message id, attempt. */
void warren_log(enum warren_level level, const char *text, const warren_field *fields);

/* The same, shorter: warren_info("order accepted", {"orderId", id}, {"amount", warren_format("%d", amount)}); */
#define WARREN_LOG(level, text, ...) \
    warren_log(level, text, (const warren_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})
#define warren_trace(...) WARREN_LOG(WARREN_TRACE, __VA_ARGS__)
#define warren_debug(...) WARREN_LOG(WARREN_DEBUG, __VA_ARGS__)
#define warren_info(...) WARREN_LOG(WARREN_INFO, __VA_ARGS__)
#define warren_warn(...) WARREN_LOG(WARREN_WARN, __VA_ARGS__)
#define warren_error(...) WARREN_LOG(WARREN_ERROR, __VA_ARGS__)

#endif
