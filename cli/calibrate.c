/* rango calibrate */
#include <stdio.h>

#include "args.h"
#include "arrays.h"
#include "commands.h"
#include "data.h"
#include "output.h"
#include "progress.h"

typedef struct calibrate_options {
  const char *model, *output;
  text_list calib;
  data_options data;
  int64_t threads, seed, memory;
  bool json, quiet;
} calibrate_options;

static void print(const calibrate_options *o, int64_t rows, double seconds) {
  if (o->json) {
    cJSON *root = json_object();
    json_text(root, "input", o->model);
    json_text(root, "output", o->output);
    json_integer(root, "rows", rows);
    json_count(root, "bytes", file_bytes(o->output));
    json_number(root, "seconds", seconds);
    json_print(root);
  } else if (!o->quiet) {
    printf("%s: statistics of %lld rows, %s, in %.1f s\n", o->output, (long long)rows,
           text_bytes(file_bytes(o->output)), seconds);
  }
}

static int calibrate(const command *self, const calibrate_options *o) {
  rango_calibrate_options how = {.struct_size = sizeof how,
                                 .threads = (int)o->threads,
                                 .seed = (uint64_t)o->seed,
                                 .memory_bytes = o->memory << 20,
                                 .progress = progress_show};
  rango_model *model = NULL;
  data_rows calib;
  double start = now_ms();
  if (rango_model_load(o->model, NULL, &model) != RANGO_OK) return report_failure();
  int code = data_rows_load(self, "--calib", &o->data, model, &o->calib, &calib);
  if (code == EXIT_DONE && rango_calibrate(model, calib.set, o->output, &how) != RANGO_OK) {
    progress_clear();
    code = report_failure_on(o->model);
  }
  progress_clear();
  if (code == EXIT_DONE) print(o, rango_dataset_rows(calib.set), (now_ms() - start) / 1e3);
  data_rows_free(&calib);
  rango_model_free(model);
  return code;
}

int command_calibrate(int count, char **arguments) {
  calibrate_options o = {.seed = 1};
  const command *self = args_find_command("calibrate");
  const option options[] = {
      {"output", 'o', OPTION_TEXT, &o.output, "FILE.rgs", "the statistics", 0, 0},
      {"calib", 'c', OPTION_LIST, &o.calib, "[NAME=]X.npy", "unlabelled data: .npy, .npz, .csv, a folder of images", 0,
       0},
      {"threads", 't', OPTION_INT, &o.threads, "N", "threads; 0: one a core [0]", 0, 1024},
      {"seed", 0, OPTION_INT, &o.seed, "N", "of the random choices [1]", 0, 0},
      {"memory", 0, OPTION_INT, &o.memory, "MIB", "bound on what is collected at a time [2048]", 1, 1e7},
      DATA_OPTIONS(&o.data),
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 1, 1, &code))
    return code;
  if (!o.output) return args_wrong(self, "no output given: -o FILE.rgs");
  if (!o.calib.count) return args_wrong(self, "no calibration data given: --calib X.npy");
  code = data_check(self, &o.data, (const text_list *const[]){&o.calib}, 1);
  if (code != EXIT_DONE) return code;
  if (o.quiet) progress_hide();
  return calibrate(self, &o);
}
