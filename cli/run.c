/* rango run */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrays.h"
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "session.h"
#include "trace.h"

typedef struct run_options {
  const char *model, *trace;
  text_list inputs, outputs;
  session_options session;
  rango_session_options settings; /* what `session` says */
  data_options data;
  int64_t batch;
  bool profile, json, quiet;
} run_options;

typedef struct run_result {
  rango_tensor **outputs;
  const char **paths; /* [output count] where each goes, or NULL */
  double milliseconds;
  int64_t calls;
} run_result;

/* ---- printing ---- */

/* Element i of the common types as a number; false for others. */
static bool element(const rango_tensor *tensor, int64_t i, double *out) {
  const void *data = rango_tensor_data(tensor);
  switch (rango_tensor_type(tensor)) {
  case RANGO_FLOAT32:
    *out = (double)((const float *)data)[i];
    return true;
  case RANGO_FLOAT64:
    *out = ((const double *)data)[i];
    return true;
  case RANGO_INT64:
    *out = (double)((const int64_t *)data)[i];
    return true;
  case RANGO_INT32:
    *out = ((const int32_t *)data)[i];
    return true;
  case RANGO_UINT8:
  case RANGO_BOOL:
    *out = ((const uint8_t *)data)[i];
    return true;
  case RANGO_INT8:
    *out = ((const int8_t *)data)[i];
    return true;
  default:
    return false;
  }
}

/* Smallest, mean and largest element; NaN where there is none. */
static void summarise(const rango_tensor *tensor, double summary[3]) {
  double value, sum = 0;
  int64_t count = rango_tensor_count(tensor);
  summary[0] = summary[1] = summary[2] = NAN;
  for (int64_t i = 0; i < count && element(tensor, i, &value); i++) {
    if (i == 0 || value < summary[0]) summary[0] = value;
    if (i == 0 || value > summary[2]) summary[2] = value;
    sum += value;
    summary[1] = sum / (double)count;
  }
}

static double gflops(const rango_profile_entry *entry) {
  return entry->milliseconds > 0 ? 2e-6 * (double)entry->macs * (double)entry->calls / entry->milliseconds : NAN;
}

static void print_profile(const rango_session *session) {
  static const char *const titles[] = {"node", "operator", "ms", "share", "MACs", "GFLOP/s", "where"};
  const rango_profile_entry *entries;
  size_t count = rango_session_profile(session, &entries);
  double total = 0;
  table *t = table_create(7, titles, "llrrrrl");
  for (size_t i = 0; i < count; i++) total += entries[i].milliseconds;
  for (size_t i = 0; i < count; i++) {
    const rango_profile_entry *e = &entries[i];
    table_cell(t, "%.48s", e->name);
    table_cell(t, "%s", e->op);
    table_cell(t, "%.3f", e->milliseconds);
    table_cell(t, "%.1f %%", total > 0 ? 100 * e->milliseconds / total : 0);
    table_cell(t, "%s", e->macs > 0 ? text_count(e->macs) : "-");
    table_cell(t, e->macs > 0 && isfinite(gflops(e)) ? "%.1f" : "-", gflops(e));
    table_cell(t, "%s", e->where);
  }
  table_print(t);
  table_free(t);
}

static cJSON *profile_json(const rango_session *session) {
  const rango_profile_entry *entries;
  size_t count = rango_session_profile(session, &entries);
  cJSON *list = json_array();
  for (size_t i = 0; i < count; i++) {
    cJSON *item = json_object();
    json_text(item, "name", entries[i].name);
    json_text(item, "op", entries[i].op);
    json_number(item, "ms", entries[i].milliseconds);
    json_integer(item, "calls", entries[i].calls);
    json_count(item, "macs", entries[i].macs);
    json_text(item, "where", entries[i].where);
    json_add(list, NULL, item);
  }
  return list;
}

static cJSON *output_json(const rango_value_info *info, const rango_tensor *tensor, const char *path) {
  double summary[3];
  summarise(tensor, summary);
  cJSON *item = json_object();
  json_text(item, "name", info->name);
  json_text(item, "type", rango_type_name(rango_tensor_type(tensor)));
  json_shape(item, "shape", rango_tensor_rank(tensor), rango_tensor_dims(tensor));
  json_number(item, "min", summary[0]);
  json_number(item, "mean", summary[1]);
  json_number(item, "max", summary[2]);
  json_text(item, "file", path);
  return item;
}

static int print_json(const run_options *o, const rango_model *model, const rango_session *session,
                      const run_result *result) {
  rango_session_stats stats = {.struct_size = sizeof stats};
  rango_value_info info;
  if (rango_session_get_stats(session, &stats) != RANGO_OK) return report_failure();
  cJSON *root = json_object(), *outputs = json_array();
  json_number(root, "ms", result->milliseconds);
  json_integer(root, "calls", result->calls);
  json_text(root, "isa", stats.isa);
  json_integer(root, "threads", stats.threads);
  json_integer(root, "weight_bytes", (int64_t)stats.weight_bytes);
  json_integer(root, "packed_bytes", (int64_t)stats.packed_bytes);
  json_integer(root, "arena_bytes", (int64_t)stats.arena_bytes);
  for (size_t i = 0; i < rango_model_output_count(model); i++)
    if (rango_model_output(model, i, &info) == RANGO_OK)
      json_add(outputs, NULL, output_json(&info, result->outputs[i], result->paths[i]));
  json_add(root, "outputs", outputs);
  if (o->profile) json_add(root, "profile", profile_json(session));
  json_print(root);
  return EXIT_DONE;
}

static int print_text(const run_options *o, const rango_model *model, const rango_session *session,
                      const run_result *result) {
  static const char *const titles[] = {"output", "type", "shape", "min", "mean", "max", "file"};
  rango_session_stats stats = {.struct_size = sizeof stats};
  rango_value_info info;
  if (o->profile) print_profile(session);
  if (o->quiet) return EXIT_DONE;
  if (rango_session_get_stats(session, &stats) != RANGO_OK) return report_failure();
  if (o->profile) putchar('\n');
  table *t = table_create(7, titles, "lllrrrl");
  for (size_t i = 0; i < rango_model_output_count(model); i++) {
    const rango_tensor *tensor = result->outputs[i];
    double summary[3];
    summarise(tensor, summary);
    table_cell(t, "%s", rango_model_output(model, i, &info) == RANGO_OK ? info.name : "?");
    table_cell(t, "%s", rango_type_name(rango_tensor_type(tensor)));
    table_cell(t, "%s", text_shape(rango_tensor_rank(tensor), rango_tensor_dims(tensor)));
    for (int j = 0; j < 3; j++) table_cell(t, isfinite(summary[j]) ? "%.5g" : "-", summary[j]);
    table_cell(t, "%s", result->paths[i] ? result->paths[i] : "-");
  }
  table_print(t);
  table_free(t);
  printf("\n%.3f ms in %lld call%s, %d thread%s, %s kernels, weights %s, packed %s, arena %s\n", result->milliseconds,
         (long long)result->calls, result->calls == 1 ? "" : "s", stats.threads, stats.threads == 1 ? "" : "s",
         stats.isa, text_bytes((int64_t)stats.weight_bytes), text_bytes((int64_t)stats.packed_bytes),
         text_bytes((int64_t)stats.arena_bytes));
  return EXIT_DONE;
}

/* ---- the work ---- */

static int find_paths(const command *self, const run_options *o, const rango_model *model, const char **paths) {
  for (size_t i = 0; i < o->outputs.count; i++) {
    size_t index;
    const char *path;
    int code = find_output(self, model, o->outputs.items[i], &index, &path);
    if (code != EXIT_DONE) return code;
    if (paths[index]) return args_wrong(self, "--output %s: the output is given twice", o->outputs.items[i]);
    paths[index] = path;
  }
  return EXIT_DONE;
}

static int run_session(const command *self, const run_options *o, const rango_model *model, run_result *result) {
  rango_session_options settings = o->settings;
  rango_session *session = NULL;
  feed f = {0};
  cJSON *trace = o->trace ? trace_create() : NULL;
  settings.profile = o->profile;
  if (trace) {
    settings.on_node = trace_node;
    settings.on_node_user = trace;
  }
  int code = feed_load(self, o->model, &o->data, model, &o->inputs, o->batch, &f);
  if (code == EXIT_DONE && rango_session_create(model, &settings, &session) != RANGO_OK)
    code = report_failure_on(o->model);
  if (code == EXIT_DONE) code = feed_run(&f, session, result->outputs, &result->milliseconds, &result->calls);
  for (size_t i = 0; i < f.output_count && code == EXIT_DONE; i++)
    if (result->paths[i] && rango_tensor_save_npy(result->outputs[i], result->paths[i]) != RANGO_OK)
      code = report_failure();
  if (trace) {
    rango_session_stats stats = {.struct_size = sizeof stats};
    if (code == EXIT_DONE && rango_session_get_stats(session, &stats) != RANGO_OK) code = report_failure();
    if (code == EXIT_DONE)
      code = trace_save(trace, o->model, &stats, o->trace);
    else
      cJSON_Delete(trace);
  }
  if (code == EXIT_DONE) code = o->json ? print_json(o, model, session, result) : print_text(o, model, session, result);
  rango_session_free(session);
  feed_free(&f);
  return code;
}

static int run(const command *self, const run_options *o) {
  rango_model *model = NULL;
  if (rango_model_load(o->model, NULL, &model) != RANGO_OK) return report_failure();
  size_t count = rango_model_output_count(model);
  run_result result = {.outputs = must_alloc(count, sizeof(rango_tensor *)),
                       .paths = must_alloc(count, sizeof(char *))};
  int code = find_paths(self, o, model, result.paths);
  if (code == EXIT_DONE) code = run_session(self, o, model, &result);
  tensors_free(result.outputs, count);
  free(result.outputs);
  free(result.paths);
  rango_model_free(model);
  return code;
}

int command_run(int count, char **arguments) {
  run_options o = {.session = SESSION_DEFAULTS};
  const command *self = args_find_command("run");
  const option options[] = {
      {"input", 'i', OPTION_LIST, &o.inputs, "[NAME=]X.npy",
       "an input: .npy, .npz, .pb, .csv, an image or a folder of them", 0, 0},
      {"output", 'o', OPTION_LIST, &o.outputs, "[NAME=]Y.npy", "where to write an output; once for each that is wanted",
       0, 0},
      {"batch", 0, OPTION_INT, &o.batch, "N", "rows a call [all at once]", 1, 1e9},
      {"profile", 0, OPTION_FLAG, &o.profile, NULL, "print every node's time", 0, 0},
      {"trace", 0, OPTION_TEXT, &o.trace, "FILE.json", "write every node's time for chrome://tracing", 0, 0},
      DATA_OPTIONS(&o.data),
      SESSION_OPTIONS(&o.session),
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 1, 1, &code))
    return code;
  code = data_check(self, &o.data, (const text_list *const[]){&o.inputs}, 1);
  if (code == EXIT_DONE) code = session_read(self, &o.session, &o.settings);
  if (code != EXIT_DONE) return code;
  if (o.quiet) progress_hide();
  return run(self, &o);
}
