/* rango eval */
#include <math.h>
#include <stdio.h>

#include "args.h"
#include "commands.h"
#include "data.h"
#include "output.h"
#include "progress.h"
#include "session.h"

typedef struct eval_options {
  const char *model, *labels;
  text_list inputs;
  session_options session;
  rango_session_options settings; /* what `session` says */
  data_options data;
  int64_t batch;
  bool json, quiet;
} eval_options;

static void print(const eval_options *o, const rango_evaluation *found) {
  if (o->json) {
    cJSON *root = json_object();
    json_text(root, "metric", metric_key(found->metric));
    json_number(root, "value", found->value);
    json_number(root, "top5", found->metric == RANGO_METRIC_TOP1 ? found->top5 : NAN);
    json_integer(root, "count", found->count);
    json_number(root, "seconds", found->seconds);
    json_print(root);
    return;
  }
  printf("%s", metric_text(found->metric, found->value));
  if (found->metric == RANGO_METRIC_TOP1 && isfinite(found->top5)) printf(", %.2f %% top-5", found->top5);
  printf(" on %lld rows", (long long)found->count);
  if (!o->quiet) printf(" in %.1f s", found->seconds);
  putchar('\n');
}

static int score(const eval_options *o, const rango_model *model, const data_rows *rows, const rango_tensor *labels) {
  rango_evaluation found = {.struct_size = sizeof found};
  rango_evaluate_options how = {.struct_size = sizeof how,
                                .labels = labels,
                                .batch = o->batch,
                                .session = o->settings,
                                .progress = progress_show};
  rango_status status = rango_evaluate(model, rows->set, &how, &found);
  progress_clear();
  if (status != RANGO_OK) return report_failure_on(o->model);
  print(o, &found);
  return EXIT_DONE;
}

static int eval(const command *self, const eval_options *o) {
  rango_model *model = NULL;
  data_rows rows = {0};
  rango_tensor *labels = NULL;
  if (rango_model_load(o->model, NULL, &model) != RANGO_OK) return report_failure();
  int code = data_rows_load(self, "--input", &o->data, model, &o->inputs, &rows);
  if (code == EXIT_DONE) code = data_take_labels(&o->data, o->labels, &rows, &labels);
  if (code == EXIT_DONE && !labels)
    code = args_wrong(self, "no labels given: --labels Y.npy, or a folder with a sub-folder for each class");
  if (code == EXIT_DONE) code = score(o, model, &rows, labels);
  rango_tensor_free(labels);
  data_rows_free(&rows);
  rango_model_free(model);
  return code;
}

int command_eval(int count, char **arguments) {
  eval_options o = {.session = SESSION_DEFAULTS};
  const command *self = args_find_command("eval");
  const option options[] = {
      {"input", 'i', OPTION_LIST, &o.inputs, "[NAME=]X.npy", "rows of an input: .npy, .npz, .csv, a folder of images",
       0, 0},
      {"labels", 'l', OPTION_TEXT, &o.labels, "Y.npy", "integers: classes. Floating point: what the output should be",
       0, 0},
      {"batch", 0, OPTION_INT, &o.batch, "N", "rows a call [chosen by size]", 1, 1e9},
      DATA_OPTIONS(&o.data),
      SESSION_OPTIONS(&o.session),
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 1, 1, &code))
    return code;
  if (!o.inputs.count) return args_wrong(self, "no data given: --input X.npy");
  if (!o.labels && !data_may_have_labels(&o.data, &o.inputs))
    return args_wrong(self, "no labels given: --labels Y.npy");
  code = data_check(self, &o.data, (const text_list *const[]){&o.inputs}, 1);
  if (code == EXIT_DONE) code = session_read(self, &o.session, &o.settings);
  if (code != EXIT_DONE) return code;
  if (o.quiet) progress_hide();
  return eval(self, &o);
}
