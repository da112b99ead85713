/*
 * The border of the component: what the host calls, and how the C library ends here. Not compiled into tests.
 *
 * `malloc`, `calloc`, `realloc` and `abort` are called by these names through `--wrap` of the linker (see guests/c/build):
 * in WebAssembly NULL is an address like any other, so a NULL that nobody checks would be written to and not noticed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

/* Without printf and without the heap, of which there is nothing left. */
static _Noreturn void out_of_memory(void) {
    static const char text[] = "handler panicked: out of memory; hint: raise `memoryMiB` in the contract\n";
    fwrite(text, 1, sizeof text - 1, stderr);
    __builtin_trap();
}

void *__wrap_malloc(size_t size) {
    void *given = __real_malloc(size);
    if (!given && size > 0) out_of_memory();
    return given;
}

void *__wrap_calloc(size_t count, size_t size) {
    void *given = __real_calloc(count, size);
    if (!given && count > 0 && size > 0) out_of_memory();
    return given;
}

void *__wrap_realloc(void *old, size_t size) {
    void *given = __real_realloc(old, size);
    if (!given && size > 0) out_of_memory();
    return given;
}

_Noreturn void __wrap_abort(void) {
    static const char text[] = "handler aborted\n";
    fwrite(text, 1, sizeof text - 1, stderr);
    __builtin_trap();
}

/* The host puts what it hands over here. The byte more is a NUL, so that every text can be read as a C string. Replaces
 * the one of the bindings, which is weak. */
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t alignment,
                                                                    size_t size) {
    (void)old_size;
    if (size == 0) return (void *)alignment;
    uint8_t *given = realloc(old, size + 1);
    given[size] = '\0';
    return given;
}

/* A copy that the bindings free once the host has read it. */
static warren_string to_host(warren_string text) {
    if (text.len == 0) return (warren_string){.ptr = (uint8_t *)1, .len = 0};
    uint8_t *copy = malloc(text.len);
    memcpy(copy, text.ptr, text.len);
    return (warren_string){.ptr = copy, .len = text.len};
}

static void to_failure(const warren_result *result, exports_warren_handler_consumer_failure_t *failure) {
    warren_string text = to_host(result->text);
    switch (result->outcome) {
        case WARREN_TRANSIENT:
            failure->tag = WARREN_HANDLER_TYPES_FAILURE_TRANSIENT;
            failure->val.transient = text;
            return;
        case WARREN_RATE_LIMITED:
            failure->tag = WARREN_HANDLER_TYPES_FAILURE_RATE_LIMITED;
            failure->val.rate_limited.retry_after_ms = result->retry_after_ms;
            failure->val.rate_limited.reason = text;
            return;
        case WARREN_UNAUTHORIZED:
            failure->tag = WARREN_HANDLER_TYPES_FAILURE_UNAUTHORIZED;
            failure->val.unauthorized = text;
            return;
        case WARREN_PERMANENT:
            failure->tag = WARREN_HANDLER_TYPES_FAILURE_PERMANENT;
            failure->val.permanent = text;
            return;
        default: warren_panic("the handler returned outcome %d, which there is not", (int)result->outcome);
    }
}

bool exports_warren_handler_consumer_handle(exports_warren_handler_consumer_message_t *message,
                                            exports_warren_handler_consumer_failure_t *failure) {
    warren_result result = warren_handle(message);
    if (result.outcome != WARREN_OK) to_failure(&result, failure);
    fflush(stdout);
    warren_free_all();
    exports_warren_handler_consumer_message_free(message);
    return result.outcome == WARREN_OK;
}

/* The bindings want an object file with the component's type in it to be linked; the linker gets the type from wit/. */
void __component_type_object_force_link_handler(void) {}
