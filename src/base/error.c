#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES 1024

/* The new text is made beside the message and moved over it: arguments may point into the message itself. */
static _Thread_local char message[MESSAGE_BYTES];

static const char *const status_names[] = {
    [RANGO_OK] = "ok",
    [RANGO_ERROR_ARGUMENT] = "wrong argument",
    [RANGO_ERROR_MEMORY] = "out of memory",
    [RANGO_ERROR_IO] = "input or output failed",
    [RANGO_ERROR_FORMAT] = "malformed file",
    [RANGO_ERROR_UNSUPPORTED] = "not supported",
    [RANGO_ERROR_LIMIT] = "over a limit",
    [RANGO_ERROR_NUMERIC] = "numerical failure",
    [RANGO_ERROR_BUDGET] = "nothing within the budget",
    [RANGO_ERROR_CANCELLED] = "cancelled",
    [RANGO_ERROR_INTERNAL] = "internal error",
    [RANGO_ERROR_DEVICE] = "GPU not available",
};

const char *rango_status_name(rango_status status) {
  size_t index = (size_t)status;
  return index < sizeof status_names / sizeof *status_names ? status_names[index] : "unknown status";
}

const char *rango_error_message(void) { return message; }

/* Messages carry names from files: a control character would break the promise of one line. */
static void store(char *text) {
  for (char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
  memcpy(message, text, strlen(text) + 1);
}

void rg_error_set(const char *format, ...) {
  char text[MESSAGE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  store(text);
}

void rg_error_set_context(const char *format, ...) {
  char text[MESSAGE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  char joined[2 * MESSAGE_BYTES + 2];
  snprintf(joined, sizeof joined, "%s: %s", text, message);
  joined[MESSAGE_BYTES - 1] = 0;
  store(joined);
}
