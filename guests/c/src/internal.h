/* What the files of the SDK share, and a handler does not see. */
#ifndef WARREN_INTERNAL_H
#define WARREN_INTERNAL_H

#include <stdarg.h>

#include "../include/warren.h"

/* Frees what `warren_alloc` gave. */
void warren_free_all(void);
/* A copy in call memory, with a NUL behind it. */
warren_string warren_copy(const void *bytes, size_t length);
/* A text made by printf, from a list of arguments. */
warren_string warren_format_list(const char *format, va_list arguments);
/* How many bytes at the beginning are one character of UTF-8; 0 if they are none. */
size_t warren_utf8_length(const uint8_t *bytes, size_t length);
/* Whether all of it is UTF-8. */
bool warren_is_utf8(warren_string text);
/* The text with U+FFFD in place of what is not UTF-8; the host would trap over it, and hide what was to be said. */
warren_string warren_as_utf8(warren_string text);

#endif
