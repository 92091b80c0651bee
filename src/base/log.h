/* Messages to the caller's log (rango_set_log). Costs nothing when there is none. */
#ifndef RG_BASE_LOG_H
#define RG_BASE_LOG_H

#include "rango.h"

void rg_log(rango_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
