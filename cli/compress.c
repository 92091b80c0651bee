/* rango compress */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "commands.h"
#include "data.h"
#include "output.h"
#include "progress.h"
#include "report.h"

#define BUDGETS 6

typedef struct compress_options {
  const char *model, *output, *labels, *costs, *stats, *report;
  char *command; /* the whole command line, for the report */
  text_list calib, val;
  data_options data;
  double budgets[BUDGETS]; /* by rango_budget; NaN: not given */
  int objective, method, confidence;
  int64_t refine, threads, seed, memory;
  bool json, quiet;
} compress_options;

static const char *const objectives[] = {"balanced", "params", "macs", "time"};
static const char *const methods[] = {"fisher", "svd", "pca", "sequential", "energy", "vbmf", "whitney"};
static const char *const budget_keys[BUDGETS] = {"max_drop",         "max_error_ratio", "min_agreement",
                                                 "max_output_error", "cut_params",      "cut_macs"};

/* ---- printing ---- */

static double cut(int64_t before, int64_t after) {
  return before > 0 ? 100.0 * (1.0 - (double)after / (double)before) : NAN;
}

static const char *ranks_text(const rango_compressed_layer *layer) {
  static char text[64];
  size_t at = 0;
  text[0] = 0;
  for (int i = 0; i < layer->rank_count && i < 4; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i ? ", " : "", layer->ranks[i]);
  return text;
}

static void print_layers(const rango_compression *result) {
  static const char *const titles[] = {"layer",  "operator", "weight", "form", "rank",
                                       "params", "cut",      "MACs",   "cut",  "error"};
  table *t = table_create(10, titles, "llllrrrrrr");
  const rango_compressed_layer *layer;
  for (size_t i = 0; (layer = rango_compression_layer(result, i)); i++) {
    table_cell(t, "%.44s", layer->name);
    table_cell(t, "%s", layer->op);
    table_cell(t, "%s", layer->shape);
    table_cell(t, "%s", layer->form);
    table_cell(t, "%s", ranks_text(layer));
    table_cell(t, "%s", text_count(layer->params_after));
    table_cell(t, layer->kept_dense ? "-" : "%.0f %%", cut(layer->params_before, layer->params_after));
    table_cell(t, "%s", text_count(layer->macs_after));
    table_cell(t, layer->kept_dense || layer->macs_before == 0 ? "-" : "%.0f %%",
               cut(layer->macs_before, layer->macs_after));
    table_cell(t, layer->kept_dense ? "-" : "%.4f", layer->error);
  }
  table_print(t);
  table_free(t);
}

static void print_change(const char *what, int64_t before, int64_t after, const char *(*text)(int64_t)) {
  printf("%-12s %s -> %s (%.1f %% less)\n", what, text(before), text(after), cut(before, after));
}

static void print_text(const compress_options *o, const rango_compression *result, const rango_compress_summary *s) {
  if (o->quiet) return;
  print_layers(result);
  const rango_left_alone *left;
  for (size_t i = 0; (left = rango_compression_left_alone(result, i)); i++) print_left_alone(left);
  printf("\n");
  print_change("parameters", s->params_before, s->params_after, text_count);
  print_change("MACs", s->macs_before, s->macs_after, text_count);
  print_change("file", file_bytes(o->model), file_bytes(o->output), text_bytes);
  printf("%-12s %s -> %s on %lld rows", "metric", metric_text(s->metric, s->metric_before),
         metric_text(s->metric, s->metric_after), (long long)s->rows);
  if (isfinite(s->bound)) printf("; 95 %% bound of the change: %.4g", s->bound);
  printf("\n");
  if (s->ms_before > 0 && s->ms_after > 0)
    printf("%-12s %.3f -> %.3f ms at batch 1 (%.2f times as fast)\n", "time", s->ms_before, s->ms_after,
           s->ms_before / s->ms_after);
  printf("%-12s %s, %d of %d layers compressed in %.1f s\n", "written", o->output, s->layers_compressed, s->layers,
         s->seconds);
  if (o->report) printf("%-12s %s\n", "report", o->report);
}

static cJSON *layer_json(const rango_compressed_layer *layer) {
  cJSON *item = json_object(), *ranks = json_array();
  json_text(item, "name", layer->name);
  json_text(item, "op", layer->op);
  json_text(item, "shape", layer->shape);
  json_integer(item, "rows_in", layer->rows_in);
  json_integer(item, "columns_out", layer->columns_out);
  json_text(item, "form", layer->form);
  for (int i = 0; i < layer->rank_count && i < 4; i++) json_integer(ranks, NULL, layer->ranks[i]);
  json_add(item, "ranks", ranks);
  json_add(item, "kept_dense", cJSON_CreateBool(layer->kept_dense));
  json_integer(item, "params_before", layer->params_before);
  json_integer(item, "params_after", layer->params_after);
  json_count(item, "macs_before", layer->macs_before);
  json_count(item, "macs_after", layer->macs_after);
  json_number(item, "error", layer->error);
  json_number(item, "ms_before", layer->ms_before);
  json_number(item, "ms_after", layer->ms_after);
  json_add(item, "slower", cJSON_CreateBool(layer->slower));
  json_add(item, "portrait", portrait_json(layer->portrait));
  return item;
}

static void print_json(const compress_options *o, rango_budget budget, double value, const rango_compression *result,
                       const rango_compress_summary *s) {
  cJSON *root = json_object(), *layers = json_array(), *left_alone = json_array();
  const rango_compressed_layer *layer;
  const rango_left_alone *left;
  json_text(root, "input", o->model);
  json_text(root, "output", o->output);
  json_text(root, "budget", budget_keys[budget]);
  json_number(root, "budget_value", value);
  json_text(root, "objective", objectives[o->objective]);
  json_text(root, "method", methods[o->method]);
  json_integer(root, "refine", o->refine);
  json_integer(root, "params_before", s->params_before);
  json_integer(root, "params_after", s->params_after);
  json_count(root, "macs_before", s->macs_before);
  json_count(root, "macs_after", s->macs_after);
  json_count(root, "bytes_before", file_bytes(o->model));
  json_count(root, "bytes_after", file_bytes(o->output));
  json_text(root, "metric", metric_key(s->metric));
  json_number(root, "metric_before", s->metric_before);
  json_number(root, "metric_after", s->metric_after);
  json_number(root, "bound", s->bound);
  json_integer(root, "rows", s->rows);
  json_number(root, "ms_before", s->ms_before > 0 ? s->ms_before : NAN);
  json_number(root, "ms_after", s->ms_after > 0 ? s->ms_after : NAN);
  json_number(root, "seconds", s->seconds);
  json_integer(root, "layers_compressed", s->layers_compressed);
  for (size_t i = 0; (layer = rango_compression_layer(result, i)); i++) json_add(layers, NULL, layer_json(layer));
  json_add(root, "layers", layers);
  for (size_t i = 0; (left = rango_compression_left_alone(result, i)); i++)
    json_add(left_alone, NULL, left_alone_json(left));
  json_add(root, "left_alone", left_alone);
  json_integer(root, "calib_rows", s->calib_rows);
  json_add(root, "val_from_calib", cJSON_CreateBool(s->val_from_calib));
  json_add(root, "labels", cJSON_CreateBool(s->labels));
  json_add(root, "curve", curve_json(result));
  json_add(root, "data", portrait_json(rango_compression_data(result)));
  json_text(root, "report", o->report);
  json_text(root, "command", o->command);
  json_print(root);
}

/* ---- the work ---- */

static bool is_float(const rango_tensor *tensor) {
  rango_type type = rango_tensor_type(tensor);
  return type == RANGO_FLOAT32 || type == RANGO_FLOAT64 || type == RANGO_FLOAT16 || type == RANGO_BFLOAT16;
}

/* The budget given, or the one that goes with the labels. */
static int choose_budget(const command *self, const compress_options *o, const rango_tensor *labels,
                         rango_budget *budget, double *value) {
  for (int i = 0; i < BUDGETS; i++) {
    if (isnan(o->budgets[i])) continue;
    *budget = (rango_budget)i;
    *value = o->budgets[i];
    return EXIT_DONE;
  }
  if (labels && is_float(labels))
    return args_wrong(self,
                      "the labels are floating-point: say how much the error may grow, as in --max-error-ratio 1.1");
  *budget = labels ? RANGO_BUDGET_MAX_DROP : RANGO_BUDGET_MIN_AGREEMENT;
  *value = labels ? 0.5 : 99;
  return EXIT_DONE;
}

static int write_report(const compress_options *o, const rango_compression *result) {
  char title[512];
  const char *from = strrchr(o->model, '/'), *to = strrchr(o->output, '/');
  snprintf(title, sizeof title, "%.200s → %.200s", from ? from + 1 : o->model, to ? to + 1 : o->output);
  rango_report_options options = {.struct_size = sizeof options,
                                  .title = title,
                                  .command = o->command,
                                  .bytes_before = file_bytes(o->model),
                                  .bytes_after = file_bytes(o->output)};
  return rango_compression_write_report(result, o->report, &options) == RANGO_OK ? EXIT_DONE : report_failure();
}

static int write_result(const compress_options *o, rango_budget budget, double value, const rango_compression *result) {
  rango_compress_summary summary = {.struct_size = sizeof summary};
  if (progress_interrupted()) return report_failure_of("interrupted; nothing was written");
  if (rango_model_save(rango_compression_model(result), o->output) != RANGO_OK) return report_failure();
  if (rango_compression_summary(result, &summary) != RANGO_OK) return report_failure();
  if (o->report && write_report(o, result) != EXIT_DONE) return EXIT_FAILED;
  if (o->json)
    print_json(o, budget, value, result, &summary);
  else
    print_text(o, result, &summary);
  return EXIT_DONE;
}

static int compress_data(const command *self, const compress_options *o, const rango_model *model,
                         const rango_dataset *calib, const rango_dataset *val, const rango_tensor *labels) {
  static const int confidences[] = {0, 95};
  rango_compress_options how = RANGO_COMPRESS_DEFAULTS;
  rango_compression *result = NULL;
  int code = choose_budget(self, o, labels, &how.budget, &how.budget_value);
  if (code != EXIT_DONE) return code;
  how.calib = calib;
  how.val = val;
  how.labels = labels;
  how.objective = (rango_objective)o->objective;
  how.confidence = confidences[o->confidence];
  how.costs = o->costs;
  how.stats = o->stats;
  how.method = (rango_method)o->method;
  how.refine = (int)o->refine;
  how.threads = (int)o->threads;
  how.seed = (uint64_t)o->seed;
  how.memory_bytes = o->memory << 20;
  how.progress = progress_show;
  how.portraits = o->report != NULL;
  rango_status status = rango_compress(model, &how, &result);
  progress_clear();
  code = status == RANGO_OK ? write_result(o, how.budget, how.budget_value, result) : report_failure_on(o->model);
  rango_compression_free(result);
  return code;
}

static int compress(const command *self, const compress_options *o) {
  rango_model *model = NULL;
  data_rows calib = {0}, val = {0};
  rango_tensor *labels = NULL;
  if (rango_model_load(o->model, NULL, &model) != RANGO_OK) return report_failure();
  int code = data_rows_load(self, "--calib", &o->data, model, &o->calib, &calib);
  if (code == EXIT_DONE && o->val.count) code = data_rows_load(self, "--val", &o->data, model, &o->val, &val);
  if (code == EXIT_DONE && o->val.count) code = data_take_labels(&o->data, o->labels, &val, &labels);
  if (code == EXIT_DONE) code = compress_data(self, o, model, calib.set, val.set, labels);
  rango_tensor_free(labels);
  data_rows_free(&val);
  data_rows_free(&calib);
  rango_model_free(model);
  return code;
}

/* ---- the command line ---- */

/* Minutes of work must not end with a folder that can't be written, nor with the original overwritten. */
static int check_output(const command *self, const compress_options *o) {
  struct stat in, out;
  if (stat(o->model, &in) == 0 && stat(o->output, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
    return args_wrong(self, "'%s' is the model itself: choose another name for the output", o->output);
  if (o->report && (strcmp(o->report, o->output) == 0 || strcmp(o->report, o->model) == 0))
    return args_wrong(self, "the report needs a name of its own, not '%s'", o->report);
  int code = check_folder(o->output);
  return code == EXIT_DONE && o->report ? check_folder(o->report) : code;
}

static int check(const command *self, const compress_options *o) {
  int given = 0;
  for (int i = 0; i < BUDGETS; i++) given += !isnan(o->budgets[i]);
  if (!o->output) return args_wrong(self, "no output given: -o OUT");
  if (!o->calib.count) return args_wrong(self, "no calibration data given: --calib X.npy");
  if (given > 1) return args_wrong(self, "only one budget can be given");
  if (o->stats && !o->val.count)
    return args_wrong(self, "--stats holds all rows of --calib: --val VX.npy gives other rows to choose with");
  if (o->labels && !o->val.count) return args_wrong(self, "--labels belong to validation data: --val VX.npy");
  if (!o->labels && !data_may_have_labels(&o->data, &o->val) &&
      (!isnan(o->budgets[RANGO_BUDGET_MAX_DROP]) || !isnan(o->budgets[RANGO_BUDGET_MAX_ERROR_RATIO])))
    return args_wrong(self,
                      "this budget needs --labels; without them there are --min-agreement and --max-output-error");
  return check_output(self, o);
}

int command_compress(int count, char **arguments) {
  compress_options o = {.seed = 1, .budgets = {NAN, NAN, NAN, NAN, NAN, NAN}};
  const command *self = args_find_command("compress");
  const option options[] = {
      {"output", 'o', OPTION_TEXT, &o.output, "OUT", "the smaller model", 0, 0},
      {"calib", 'c', OPTION_LIST, &o.calib, "[NAME=]X.npy",
       "unlabelled data that fits the factors; once for each input", 0, 0},
      {"val", 'v', OPTION_LIST, &o.val, "[NAME=]VX.npy", "data that chooses the operating point", 0, 0},
      {"labels", 'l', OPTION_TEXT, &o.labels, "VY.npy", "labels of --val", 0, 0},
      {"max-drop", 0, OPTION_NUMBER, &o.budgets[0], "POINTS", "percentage points of top-1 that may be lost [0.5]", 0,
       100},
      {"max-error-ratio", 0, OPTION_NUMBER, &o.budgets[1], "R", "relative error at most R times the original's", 1,
       1e6},
      {"min-agreement", 0, OPTION_NUMBER, &o.budgets[2], "PCT", "percent of rows with the original's top-1 [99]", 0,
       100},
      {"max-output-error", 0, OPTION_NUMBER, &o.budgets[3], "R", "relative error to the original's outputs", 0, 1e6},
      {"cut-params", 0, OPTION_NUMBER, &o.budgets[4], "PCT", "percent of the parameters to remove", 0, 100},
      {"cut-macs", 0, OPTION_NUMBER, &o.budgets[5], "PCT", "percent of the MACs to remove", 0, 100},
      {"objective", 0, OPTION_CHOICE, &o.objective, "balanced|params|macs|time",
       "what an accuracy budget buys [balanced]", 0, 0},
      {"method", 0, OPTION_CHOICE, &o.method, "fisher|svd|pca|sequential|energy|vbmf|whitney",
       "how layers are made smaller; all but the first are for comparison [fisher]", 0, 0},
      {"refine", 0, OPTION_INT, &o.refine, "N",
       "N passes of training on --calib, without labels, of the best networks [0]", 0, 100000},
      {"confidence", 0, OPTION_CHOICE, &o.confidence, "0|95", "95: the 95 % bound keeps the budget, not the value [0]",
       0, 0},
      {"stats", 0, OPTION_TEXT, &o.stats, "FILE.rgs", "statistics of --calib, from 'rango calibrate'; needs --val", 0,
       0},
      {"costs", 0, OPTION_TEXT, &o.costs, "FILE", "this machine's costs, from 'rango tune'", 0, 0},
      {"report", 0, OPTION_TEXT, &o.report, "FILE.html", "what was found and won, as one page for a browser", 0, 0},
      {"threads", 't', OPTION_INT, &o.threads, "N", "threads; 0: one a core [0]", 0, 1024},
      {"seed", 0, OPTION_INT, &o.seed, "N", "of the random choices [1]", 0, 0},
      {"memory", 0, OPTION_INT, &o.memory, "MIB", "bound on statistics and kept activations [2048]", 1, 1e7},
      DATA_OPTIONS(&o.data),
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 1, 1, &code))
    return code;
  code = check(self, &o);
  if (code == EXIT_DONE) code = data_check(self, &o.data, (const text_list *const[]){&o.calib, &o.val}, 2);
  if (code != EXIT_DONE) return code;
  if (o.quiet) progress_hide();
  o.command = command_line("compress", count, arguments);
  code = compress(self, &o);
  free(o.command);
  return code;
}
