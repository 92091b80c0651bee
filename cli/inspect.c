/* rango inspect */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "data.h"
#include "output.h"
#include "progress.h"
#include "report.h"
#include "spectrum.h"

typedef struct inspect_options {
  const char *model, *report;
  char *command; /* the whole command line, for the report */
  text_list calib, dims;
  data_options data;
  bool ops, all, json, quiet;
  int64_t rows, seed, threads;
} inspect_options;

/* ---- operators ---- */

static bool is_implemented(const rango_layer_info *layer) {
  for (size_t i = 0; i < rango_op_count(); i++) {
    const rango_op_info *op = rango_op(i);
    if (strcmp(op->name, layer->op) == 0 && strcmp(op->domain, layer->domain) == 0) return true;
  }
  return false;
}

typedef struct op_use {
  const rango_layer_info *layer;
  int64_t count;
} op_use;

static int compare_uses(const void *a, const void *b) {
  const rango_layer_info *x = ((const op_use *)a)->layer, *y = ((const op_use *)b)->layer;
  int order = strcmp(x->domain, y->domain);
  return order ? order : strcmp(x->op, y->op);
}

/* The model's operators, sorted, each once. */
static op_use *collect_uses(const rango_analysis *analysis, size_t *count) {
  size_t layers = rango_analysis_layer_count(analysis);
  op_use *uses = must_alloc(layers, sizeof *uses);
  *count = 0;
  for (size_t i = 0; i < layers; i++) uses[i] = (op_use){rango_analysis_layer(analysis, i), 1};
  qsort(uses, layers, sizeof *uses, compare_uses);
  for (size_t i = 0; i < layers; i++) {
    if (*count && compare_uses(&uses[*count - 1], &uses[i]) == 0)
      uses[*count - 1].count++;
    else
      uses[(*count)++] = uses[i];
  }
  return uses;
}

static cJSON *uses_json(const op_use *uses, size_t count) {
  cJSON *list = json_array();
  for (size_t i = 0; i < count; i++) {
    cJSON *item = json_object();
    json_text(item, "op", uses[i].layer->op);
    json_text(item, "domain", uses[i].layer->domain);
    json_integer(item, "count", uses[i].count);
    json_add(item, "implemented", cJSON_CreateBool(is_implemented(uses[i].layer)));
    json_add(list, NULL, item);
  }
  return list;
}

static void print_uses(const op_use *uses, size_t count) {
  static const char *const titles[] = {"operator", "domain", "nodes", "implemented"};
  table *t = table_create(4, titles, "llrl");
  for (size_t i = 0; i < count; i++) {
    table_cell(t, "%s", uses[i].layer->op);
    table_cell(t, "%s", uses[i].layer->domain[0] ? uses[i].layer->domain : "ai.onnx");
    table_cell(t, "%lld", (long long)uses[i].count);
    table_cell(t, is_implemented(uses[i].layer) ? "yes" : "no");
  }
  table_print(t);
  table_free(t);
}

/* Everything that is implemented. */
static int list_operators(bool json) {
  static const char *const titles[] = {"operator", "domain", "opsets"};
  cJSON *root = json_object(), *list = json_array();
  table *t = table_create(3, titles, "lll");
  for (size_t i = 0; i < rango_op_count(); i++) {
    const rango_op_info *op = rango_op(i);
    cJSON *item = json_object();
    json_text(item, "op", op->name);
    json_text(item, "domain", op->domain);
    json_integer(item, "since", op->since);
    json_integer(item, "until", op->until);
    json_add(list, NULL, item);
    table_cell(t, "%s", op->name);
    table_cell(t, "%s", op->domain[0] ? op->domain : "ai.onnx");
    table_cell(t, "%d to %d", op->since, op->until);
  }
  json_add(root, "operators", list);
  if (json) {
    json_print(root);
  } else {
    table_print(t);
    cJSON_Delete(root);
  }
  table_free(t);
  return EXIT_DONE;
}

/* ---- inputs and outputs ---- */

typedef rango_status (*get_info)(const rango_model *model, size_t index, rango_value_info *out);

static const char *declared_shape(const rango_value_info *info) {
  static char text[512];
  size_t at = (size_t)snprintf(text, sizeof text, info->rank < 0 ? "any shape" : "[");
  for (int i = 0; i < info->rank && at < sizeof text - 64; i++) {
    const char *comma = i ? ", " : "";
    if (info->dims[i] >= 0)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", comma, (long long)info->dims[i]);
    else
      at += (size_t)snprintf(text + at, sizeof text - at, "%s%.24s", comma, info->symbols[i] ? info->symbols[i] : "?");
  }
  if (info->rank >= 0) snprintf(text + at, sizeof text - at, "]");
  return text;
}

static void print_values(const char *what, const rango_model *model, get_info get, size_t count) {
  rango_value_info info;
  for (size_t i = 0; i < count; i++)
    if (get(model, i, &info) == RANGO_OK)
      printf("%-11s %.80s: %s %s\n", i ? "" : what, info.name, rango_type_name(info.type), declared_shape(&info));
}

static cJSON *values_json(const rango_model *model, get_info get, size_t count) {
  cJSON *list = json_array();
  rango_value_info info;
  for (size_t i = 0; i < count; i++) {
    if (get(model, i, &info) != RANGO_OK) continue;
    cJSON *item = json_object(), *symbols = json_array();
    json_text(item, "name", info.name);
    json_text(item, "type", rango_type_name(info.type));
    json_shape(item, "shape", info.rank, info.dims);
    for (int j = 0; j < info.rank; j++) json_text(symbols, NULL, info.symbols[j]);
    json_add(item, "symbols", symbols);
    json_add(list, NULL, item);
  }
  return list;
}

/* ---- layers ---- */

static void print_layers(const rango_analysis *analysis, bool all) {
  static const char *const titles[] = {"layer", "operator", "input", "weight", "output", "params", "MACs"};
  table *t = table_create(7, titles, "lllllrr");
  size_t hidden = 0;
  for (size_t i = 0; i < rango_analysis_layer_count(analysis); i++) {
    const rango_layer_info *layer = rango_analysis_layer(analysis, i);
    if (!all && layer->params == 0 && layer->macs == 0) {
      hidden++;
      continue;
    }
    table_cell(t, "%.44s", layer->name);
    table_cell(t, "%s", layer->op);
    table_cell(t, "%s", text_shape(layer->input_rank, layer->input));
    table_cell(t, "%s", text_shape(layer->weight_rank, layer->weight));
    table_cell(t, "%s", text_shape(layer->output_rank, layer->output));
    table_cell(t, "%s", text_count(layer->params));
    table_cell(t, "%s", layer->macs ? text_count(layer->macs) : "");
  }
  table_print(t);
  table_free(t);
  if (hidden) printf("and %zu nodes without weights or products (--all shows them)\n", hidden);
}

static cJSON *layers_json(const rango_analysis *analysis) {
  cJSON *list = json_array();
  for (size_t i = 0; i < rango_analysis_layer_count(analysis); i++) {
    const rango_layer_info *layer = rango_analysis_layer(analysis, i);
    cJSON *item = json_object();
    json_text(item, "name", layer->name);
    json_text(item, "op", layer->op);
    json_text(item, "domain", layer->domain);
    json_shape(item, "input", layer->input_rank, layer->input);
    json_shape(item, "weight", layer->weight_rank, layer->weight);
    json_shape(item, "output", layer->output_rank, layer->output);
    json_integer(item, "params", layer->params);
    json_count(item, "macs", layer->macs);
    json_add(list, NULL, item);
  }
  return list;
}

/* ---- spectra ---- */

static void print_spectra(const rango_spectra *spectra) {
  table *t = spectrum_table_create();
  const rango_layer_spectrum *layer;
  spectrum_table_add(t, "(the data)", "", rango_spectra_input(spectra));
  for (size_t i = 0; (layer = rango_spectra_layer(spectra, i)); i++)
    spectrum_table_add(t, layer->name, layer->op, &layer->output);
  putchar('\n');
  spectrum_table_print(t);
  const rango_left_alone *left;
  for (size_t i = 0; (left = rango_spectra_left_alone(spectra, i)); i++) print_left_alone(left);
}

static cJSON *spectrum_json(const char *name, const char *op, const rango_portrait *portrait) {
  cJSON *item = json_object();
  if (name) json_text(item, "name", name);
  if (op) json_text(item, "op", op);
  add_portrait(item, portrait);
  return item;
}

static cJSON *spectra_json(const rango_spectra *spectra) {
  cJSON *root = json_object(), *list = json_array(), *left_alone = json_array();
  const rango_layer_spectrum *layer;
  const rango_left_alone *left;
  json_add(root, "input", spectrum_json(NULL, NULL, rango_spectra_data(spectra)));
  for (size_t i = 0; (layer = rango_spectra_layer(spectra, i)); i++)
    json_add(list, NULL, spectrum_json(layer->name, layer->op, layer->portrait));
  json_add(root, "layers", list);
  for (size_t i = 0; (left = rango_spectra_left_alone(spectra, i)); i++)
    json_add(left_alone, NULL, left_alone_json(left));
  json_add(root, "left_alone", left_alone);
  return root;
}

static int create_spectra(const command *self, const inspect_options *o, const rango_model *model,
                          rango_spectra **out) {
  data_rows data;
  int code = data_rows_load(self, "--calib", &o->data, model, &o->calib, &data);
  if (code == EXIT_DONE && rango_spectra_create(model, data.set, o->rows, (uint64_t)o->seed, (int)o->threads,
                                                progress_show, NULL, out) != RANGO_OK)
    code = report_failure_on(o->model);
  progress_clear();
  data_rows_free(&data);
  return code;
}

static int write_report(const inspect_options *o, const rango_spectra *spectra) {
  const char *slash = strrchr(o->model, '/');
  rango_report_options options = {
      .struct_size = sizeof options, .title = slash ? slash + 1 : o->model, .command = o->command};
  return rango_spectra_write_report(spectra, o->report, &options) == RANGO_OK ? EXIT_DONE : report_failure();
}

/* ---- the command ---- */

static void print_json(const inspect_options *o, const rango_model *model, const rango_analysis *analysis,
                       const op_use *uses, size_t use_count, const rango_spectra *spectra) {
  cJSON *root = json_object();
  json_text(root, "file", o->model);
  json_count(root, "bytes", file_bytes(o->model));
  json_add(root, "inputs", values_json(model, rango_model_input, rango_model_input_count(model)));
  json_add(root, "outputs", values_json(model, rango_model_output, rango_model_output_count(model)));
  json_integer(root, "params", rango_analysis_params(analysis));
  json_count(root, "macs", rango_analysis_macs(analysis));
  json_add(root, "operators", uses_json(uses, use_count));
  json_add(root, "layers", layers_json(analysis));
  if (spectra) json_add(root, "spectra", spectra_json(spectra));
  json_print(root);
}

static void print_text(const inspect_options *o, const rango_model *model, const rango_analysis *analysis,
                       const op_use *uses, size_t use_count, const rango_spectra *spectra) {
  if (o->ops) {
    print_uses(uses, use_count);
    return;
  }
  if (!o->quiet) {
    printf("%-11s %s, %s\n", "model", o->model, text_bytes(file_bytes(o->model)));
    print_values("inputs", model, rango_model_input, rango_model_input_count(model));
    print_values("outputs", model, rango_model_output, rango_model_output_count(model));
  }
  printf("%-11s %s\n", "parameters", text_count(rango_analysis_params(analysis)));
  printf("%-11s %s for one row\n\n", "MACs", text_count(rango_analysis_macs(analysis)));
  print_layers(analysis, o->all);
  if (spectra) print_spectra(spectra);
}

static int inspect(const command *self, const inspect_options *o, const rango_dim_binding *bindings,
                   size_t binding_count) {
  rango_model *model = NULL;
  rango_analysis *analysis = NULL;
  rango_spectra *spectra = NULL;
  op_use *uses = NULL;
  size_t use_count = 0;
  int code = EXIT_DONE;
  rango_status status = rango_model_load(o->model, NULL, &model);
  if (status == RANGO_OK) status = rango_analysis_create(model, bindings, binding_count, &analysis);
  if (status != RANGO_OK) code = report_failure_on(o->model);
  if (code == EXIT_DONE) uses = collect_uses(analysis, &use_count);
  if (code == EXIT_DONE && o->calib.count) code = create_spectra(self, o, model, &spectra);
  if (code == EXIT_DONE && o->report) code = write_report(o, spectra);
  if (code == EXIT_DONE) (o->json ? print_json : print_text)(o, model, analysis, uses, use_count, spectra);
  free(uses);
  rango_spectra_free(spectra);
  rango_analysis_free(analysis);
  rango_model_free(model);
  return code;
}

/* "SYMBOL=SIZE" */
static int parse_binding(const command *self, const char *text, rango_dim_binding *out) {
  const char *equals = strrchr(text, '=');
  char *end = NULL;
  long long value = equals ? strtoll(equals + 1, &end, 10) : 0;
  if (!equals || equals == text || end == equals + 1 || *end || value < 1)
    return args_wrong(self, "--dim needs SYMBOL=SIZE with a size of at least 1, not '%s'", text);
  size_t length = (size_t)(equals - text);
  char *symbol = must_alloc(length + 1, 1);
  memcpy(symbol, text, length);
  *out = (rango_dim_binding){symbol, value};
  return EXIT_DONE;
}

static int inspect_bound(const command *self, const inspect_options *o) {
  rango_dim_binding *bindings = must_alloc(o->dims.count, sizeof *bindings);
  int code = EXIT_DONE;
  for (size_t i = 0; i < o->dims.count && code == EXIT_DONE; i++)
    code = parse_binding(self, o->dims.items[i], &bindings[i]);
  if (code == EXIT_DONE) code = inspect(self, o, bindings, o->dims.count);
  for (size_t i = 0; i < o->dims.count; i++) free((void *)bindings[i].symbol);
  free(bindings);
  return code;
}

int command_inspect(int count, char **arguments) {
  inspect_options o = {.rows = 1024, .seed = 1};
  const command *self = args_find_command("inspect");
  const option options[] = {
      {"ops", 0, OPTION_FLAG, &o.ops, NULL, "the operators used, or without MODEL all that are implemented", 0, 0},
      {"all", 'a', OPTION_FLAG, &o.all, NULL, "list nodes without weights and products, too", 0, 0},
      {"dim", 0, OPTION_LIST, &o.dims, "SYMBOL=SIZE", "size of a symbolic dimension [1]", 0, 0},
      {"calib", 'c', OPTION_LIST, &o.calib, "[NAME=]X.npy", "data: adds spectra and intrinsic dimensions", 0, 0},
      {"rows", 0, OPTION_INT, &o.rows, "N", "rows of the data used for that [1024]", 2, 1e9},
      {"report", 0, OPTION_TEXT, &o.report, "FILE.html", "spectra and dimensions as one page for a browser", 0, 0},
      {"seed", 0, OPTION_INT, &o.seed, "N", "of the random choices [1]", 0, 0},
      {"threads", 't', OPTION_INT, &o.threads, "N", "threads; 0: one a core [0]", 0, 1024},
      DATA_OPTIONS(&o.data),
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 0, 1, &code))
    return code;
  if (!o.model && o.ops) return list_operators(o.json);
  if (!o.model) return args_wrong(self, "no model given: rango inspect MODEL");
  code = data_check(self, &o.data, (const text_list *const[]){&o.calib}, 1);
  if (code != EXIT_DONE) return code;
  if (o.report && !o.calib.count) return args_wrong(self, "a report needs data: --calib X.npy");
  if (o.report && strcmp(o.report, o.model) == 0)
    return args_wrong(self, "the report needs a name of its own, not '%s'", o.report);
  if (o.report && check_folder(o.report) != EXIT_DONE) return EXIT_FAILED;
  if (o.quiet) progress_hide();
  o.command = command_line("inspect", count, arguments);
  code = inspect_bound(self, &o);
  free(o.command);
  return code;
}
