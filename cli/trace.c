#include "trace.h"

#include "output.h"

cJSON *trace_create(void) {
  cJSON *trace = json_object();
  json_add(trace, "traceEvents", json_array());
  return trace;
}

static void add_tensor(cJSON *args, const char *key, const rango_tensor *tensor) {
  if (tensor) json_shape(args, key, rango_tensor_rank(tensor), rango_tensor_dims(tensor));
}

/* A complete event ("X"): times are in microseconds. */
void trace_node(void *trace, const rango_node_event *node) {
  cJSON *event = json_object(), *args = json_object();
  json_text(args, "op", node->op);
  add_tensor(args, "input", node->input);
  add_tensor(args, "output", node->output);
  if (node->macs > 0) {
    json_integer(args, "macs", node->macs);
    json_number(args, "gflops", 2e-6 * (double)node->macs / node->milliseconds);
  }
  json_text(args, "where", node->where);
  json_text(event, "name", node->name[0] ? node->name : node->op);
  json_text(event, "cat", node->op);
  json_text(event, "ph", "X");
  json_number(event, "ts", 1e3 * node->start);
  json_number(event, "dur", 1e3 * node->milliseconds);
  json_integer(event, "pid", 1);
  json_integer(event, "tid", 1);
  json_add(event, "args", args);
  json_add(cJSON_GetObjectItemCaseSensitive(trace, "traceEvents"), NULL, event);
}

int trace_save(cJSON *trace, const char *model, const rango_session_stats *stats, const char *path) {
  cJSON *about = json_object();
  json_text(about, "model", model);
  json_text(about, "isa", stats->isa);
  json_integer(about, "threads", stats->threads);
  json_text(trace, "displayTimeUnit", "ms");
  json_add(trace, "otherData", about);
  return json_save(trace, path);
}
