/* Every node's run as an event of Chrome's trace format, for chrome://tracing and ui.perfetto.dev. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <cjson/cJSON.h>

#include "rango.h"

cJSON *trace_create(void);
void trace_node(void *trace, const rango_node_event *event); /* a rango_node_function */
/* Writes and frees it. `stats`: of the session. */
int trace_save(cJSON *trace, const char *model, const rango_session_stats *stats, const char *path);

#endif
