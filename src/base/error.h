/* Status and the thread's error message. Every function that can fail returns rango_status and is called through
 * RG_TRY, or ends with RG_FAIL. */
#ifndef RG_BASE_ERROR_H
#define RG_BASE_ERROR_H

#include "rango.h"

void rg_error_set(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rg_error_set_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Passes a status through: compilers and analysers see at the place of failure that it is not RANGO_OK. */
static inline rango_status rg_status(rango_status status) { return status; }

/* Sets the thread's message and gives `status`. */
#define rg_fail(status, ...) rg_status((rg_error_set(__VA_ARGS__), (status)))

/* Puts "<context>: " in front of the thread's message and gives `status`. For callers that know the file or node. */
#define rg_fail_context(status, ...) rg_status((rg_error_set_context(__VA_ARGS__), (status)))

/* `return RG_FAIL(RANGO_ERROR_FORMAT, "...")` reads as a statement in the code that fails. */
#define RG_FAIL(status, ...) return rg_fail((status), __VA_ARGS__)

#define RG_FAIL_IF(condition, status, ...)                                                                             \
  do {                                                                                                                 \
    if (condition) return rg_fail((status), __VA_ARGS__);                                                              \
  } while (0)

#define RG_TRY(expression)                                                                                             \
  do {                                                                                                                 \
    rango_status rg_try_status_ = (expression);                                                                        \
    if (rg_try_status_ != RANGO_OK) return rg_try_status_;                                                             \
  } while (0)

/* As RG_TRY where there is something to clean up: needs a local `rango_status status` and a label `done`. */
#define RG_TRY_DONE(expression)                                                                                        \
  do {                                                                                                                 \
    status = (expression);                                                                                             \
    if (status != RANGO_OK) goto done;                                                                                 \
  } while (0)

#endif
