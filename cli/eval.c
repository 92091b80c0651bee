/* rango eval */
#include <math.h>
#include <stdio.h>

#include "args.h"
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "session.h"

typedef struct eval_options {
  const char *model, *labels;
  text_list inputs;
  session_options session;
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

static int eval(const eval_options *o) {
  rango_model *model = NULL;
  rango_dataset *data = NULL;
  rango_tensor *labels = NULL;
  rango_evaluation found = {.struct_size = sizeof found};
  rango_evaluate_options how = {.struct_size = sizeof how,
                                .batch = o->batch,
                                .session = session_settings(&o->session),
                                .progress = progress_show};
  rango_status status = rango_model_load(o->model, NULL, &model);
  if (status == RANGO_OK) status = rango_dataset_load(model, o->inputs.items, o->inputs.count, &data);
  if (status == RANGO_OK) status = rango_tensor_load_npy(o->labels, &labels);
  how.labels = labels;
  int code = status == RANGO_OK ? EXIT_DONE : report_failure();
  if (code == EXIT_DONE && rango_evaluate(model, data, &how, &found) != RANGO_OK) code = report_failure_on(o->model);
  progress_clear();
  if (code == EXIT_DONE) print(o, &found);
  rango_tensor_free(labels);
  rango_dataset_free(data);
  rango_model_free(model);
  return code;
}

int command_eval(int count, char **arguments) {
  eval_options o = {.session = SESSION_DEFAULTS};
  const command *self = args_find_command("eval");
  const option options[] = {
      {"input", 'i', OPTION_LIST, &o.inputs, "[NAME=]X.npy", "rows of an input; once for each, or one .npz", 0, 0},
      {"labels", 'l', OPTION_TEXT, &o.labels, "Y.npy", "integers: classes. Floating point: what the output should be",
       0, 0},
      {"batch", 0, OPTION_INT, &o.batch, "N", "rows a call [chosen by size]", 1, 1e9},
      SESSION_OPTIONS(&o.session),
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 1, 1, &code))
    return code;
  if (!o.inputs.count) return args_wrong(self, "no data given: --input X.npy");
  if (!o.labels) return args_wrong(self, "no labels given: --labels Y.npy");
  code = session_check(&o.session);
  if (code != EXIT_DONE) return code;
  if (o.quiet) progress_hide();
  return eval(&o);
}
