/* rango bench */
#include "bench.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "arrays.h"
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "session.h"

#define ENOUGH_MS     20000.0 /* a row that has taken so long ... */
#define ENOUGH_ROUNDS 3       /* ... takes no more turns than these */
#define PEAK_SECONDS  0.5
#define COLUMNS       13

typedef struct bench_options {
  const char *model, *compressed, *labels, *wanted, *isa, *device;
  text_list inputs;
  int64_t batch, threads, rounds;
  bool json, quiet;
} bench_options;

typedef struct bench {
  const bench_options *o;
  bench_row rows[BENCH_ROWS];
  char folder[4096];
  size_t input_count;
  int64_t batch;
  double peak_gflops, peak_gbytes;
  rango_device gpu_kind; /* of the GPU rows */
  int gpu;
  rango_gpu_info gpu_info;
  char gpu_missing[512]; /* why there is none, or "" */
  rango_metric metric;
  bool has_metric;
} bench;

static const char *const row_names[BENCH_ROWS] = {"scalar", "svd", "simd", "svd_simd", "gpu", "svd_gpu"};

/* ---- which rows ---- */

static int name_to_row(const command *self, const char *name, size_t length, bool *wanted) {
  for (int i = 0; i < BENCH_ROWS; i++)
    if (strlen(row_names[i]) == length && strncmp(row_names[i], name, length) == 0) {
      wanted[i] = true;
      return EXIT_DONE;
    }
  return args_wrong(self, "--rows: '%.*s' is none of scalar, svd, simd, svd_simd, gpu, svd_gpu", (int)length, name);
}

static int choose_rows(const command *self, const bench_options *o, bool *wanted) {
  int code = EXIT_DONE;
  for (int i = 0; i < BENCH_ROWS; i++) wanted[i] = !o->wanted;
  for (const char *name = o->wanted; name && code == EXIT_DONE;) {
    size_t length = strcspn(name, ",");
    code = name_to_row(self, name, length, wanted);
    name = name[length] ? name + length + 1 : NULL;
  }
  return code;
}

/* The device of the GPU rows: what was asked for, or the first that is no software. */
static int choose_gpu(const command *self, const bool *wanted, bench *b) {
  static const rango_device kinds[] = {RANGO_DEVICE_METAL, RANGO_DEVICE_VULKAN};
  b->gpu_info.struct_size = sizeof b->gpu_info;
  snprintf(b->gpu_missing, sizeof b->gpu_missing, "no GPU here (rango devices)");
  if (!wanted[4] && !wanted[5]) return EXIT_DONE;
  if (b->o->device) {
    if (!session_device(b->o->device, &b->gpu_kind, &b->gpu) || b->gpu_kind < RANGO_DEVICE_VULKAN)
      return args_wrong(self, "--device: '%s' is none of vulkan, vulkan:N, metal, metal:N", b->o->device);
    b->gpu_missing[0] = '\0';
    return rango_gpu_get_info(b->gpu_kind, b->gpu, &b->gpu_info) == RANGO_OK ? EXIT_DONE : report_failure();
  }
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    int count = 0;
    b->gpu_kind = kinds[k];
    if (rango_gpu_count(kinds[k], &count) != RANGO_OK) continue;
    for (b->gpu = 0; b->gpu < count; b->gpu++) {
      if (rango_gpu_get_info(kinds[k], b->gpu, &b->gpu_info) != RANGO_OK) continue;
      b->gpu_missing[0] = '\0';
      if (!b->gpu_info.software) return EXIT_DONE;
      snprintf(b->gpu_missing, sizeof b->gpu_missing, "no GPU but one in software (--device %s:%d)",
               kinds[k] == RANGO_DEVICE_METAL ? "metal" : "vulkan", b->gpu);
    }
  }
  return EXIT_DONE;
}

static void make_rows(bench *b, const bool *wanted) {
  static const rango_device devices[] = {RANGO_DEVICE_REFERENCE, RANGO_DEVICE_CPU};
  for (int i = 0; i < BENCH_ROWS; i++) {
    bench_row *row = &b->rows[i];
    *row = (bench_row){.name = row_names[i], .compressed = i % 2, .metric = NAN, .energy = NAN, .memory = -1};
    row->device = i < 4 ? devices[i / 2] : b->gpu_kind;
    row->gpu = b->gpu;
    row->model = row->compressed ? b->o->compressed : b->o->model;
    if (i >= 4 && b->gpu_missing[0])
      row->missing = b->gpu_missing;
    else if (!row->model)
      row->missing = "no compressed model was given (--compressed)";
    row->hidden = !wanted[i];
    if (row->hidden) row->missing = "not asked for";
  }
}

/* ---- measuring ---- */

static bool is_gpu(const bench_row *row) { return row->device >= RANGO_DEVICE_VULKAN; }

static int measure_model(bench *b, const rango_model *model, bool compressed) {
  rango_analysis *analysis = NULL;
  if (rango_analysis_create(model, NULL, 0, &analysis) != RANGO_OK)
    return report_failure_on(compressed ? b->o->compressed : b->o->model);
  for (int i = 0; i < BENCH_ROWS; i++) {
    bench_row *row = &b->rows[i];
    if (row->missing || row->compressed != compressed) continue;
    row->params = rango_analysis_params(analysis);
    row->macs = rango_analysis_macs(analysis);
    row->bytes = file_bytes(row->model);
  }
  rango_analysis_free(analysis);
  return EXIT_DONE;
}

/* With the CPU engine for its rows and the scalar ones, with the GPU for its own. */
static int measure_metric(bench *b, const rango_model *model, bool compressed, bool gpu) {
  rango_dataset *data = NULL;
  rango_tensor *labels = NULL;
  rango_evaluation found = {.struct_size = sizeof found};
  rango_evaluate_options how = {.struct_size = sizeof how, .progress = progress_show};
  how.session = (rango_session_options){.struct_size = sizeof how.session,
                                        .device = gpu ? b->gpu_kind : RANGO_DEVICE_CPU,
                                        .gpu = b->gpu,
                                        .threads = (int)b->o->threads,
                                        .isa = b->o->isa};
  rango_status status = rango_dataset_load(model, b->o->inputs.items, b->o->inputs.count, &data);
  if (status == RANGO_OK) status = rango_tensor_load_npy(b->o->labels, &labels);
  how.labels = labels;
  if (status == RANGO_OK) status = rango_evaluate(model, data, &how, &found);
  for (int i = 0; i < BENCH_ROWS && status == RANGO_OK; i++)
    if (!b->rows[i].missing && b->rows[i].compressed == compressed && is_gpu(&b->rows[i]) == gpu)
      b->rows[i].metric = found.value;
  b->metric = found.metric;
  b->has_metric = status == RANGO_OK;
  rango_tensor_free(labels);
  rango_dataset_free(data);
  progress_clear();
  return status == RANGO_OK ? EXIT_DONE : report_failure_on(compressed ? b->o->compressed : b->o->model);
}

static bool is_needed(const bench *b, bool compressed, bool gpu) {
  for (int i = 0; i < BENCH_ROWS; i++)
    if (!b->rows[i].missing && b->rows[i].compressed == compressed && is_gpu(&b->rows[i]) == gpu) return true;
  return false;
}

/* Parameters, MACs, metric of one of the models; the inputs, too, from the first. */
static int look_at_model(bench *b, bool compressed) {
  rango_model *model = NULL;
  const bool cpu = is_needed(b, compressed, false), gpu = is_needed(b, compressed, true);
  if (!cpu && !gpu) return EXIT_DONE;
  if (rango_model_load(compressed ? b->o->compressed : b->o->model, NULL, &model) != RANGO_OK) return report_failure();
  int code = measure_model(b, model, compressed);
  if (code == EXIT_DONE && b->o->labels && cpu) code = measure_metric(b, model, compressed, false);
  if (code == EXIT_DONE && b->o->labels && gpu) code = measure_metric(b, model, compressed, true);
  rango_model_free(model);
  return code;
}

static int prepare_inputs(bench *b) {
  rango_model *model = NULL;
  if (rango_model_load(b->o->model, NULL, &model) != RANGO_OK) return report_failure();
  b->batch = b->o->batch;
  b->input_count = rango_model_input_count(model);
  int code = bench_make_inputs(b->o->model, model, b->o->inputs.items, b->o->inputs.count, b->folder, &b->batch);
  rango_model_free(model);
  return code;
}

static void measure_peak(bench *b, int threads) {
  double gflops = 0, gbytes = 0;
  if (rango_cpu_measure_peak(threads, PEAK_SECONDS, &gflops, &gbytes) != RANGO_OK) return;
  if (gflops > b->peak_gflops) b->peak_gflops = gflops;
  if (gbytes > b->peak_gbytes) b->peak_gbytes = gbytes;
}

static bool takes_turn(const bench_row *row) {
  return !row->missing && (row->rounds < ENOUGH_ROUNDS || row->spent < ENOUGH_MS);
}

static int take_turns(bench *b) {
  int code = EXIT_DONE;
  for (int64_t round = 0; round < b->o->rounds && code == EXIT_DONE; round++)
    for (int i = 0; i < BENCH_ROWS && code == EXIT_DONE; i++) {
      if (!takes_turn(&b->rows[i])) continue;
      progress_show(NULL, (double)round / (double)b->o->rounds, b->rows[i].name);
      code = bench_row_turn(&b->rows[i]);
      if (progress_interrupted()) code = report_failure_of("interrupted");
    }
  progress_clear();
  return code;
}

static int compare_times(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void summarise(bench_row *row) {
  qsort(row->times, (size_t)row->rounds, sizeof *row->times, compare_times);
  int middle = row->rounds / 2;
  row->median = row->rounds % 2 ? row->times[middle] : 0.5 * (row->times[middle - 1] + row->times[middle]);
  row->fastest = row->times[0];
}

static int start_rows(bench *b) {
  int code = EXIT_DONE;
  for (int i = 0; i < BENCH_ROWS && code == EXIT_DONE; i++) {
    bench_row *row = &b->rows[i];
    if (row->missing) continue;
    progress_show(NULL, 0, row->name);
    row->times = must_alloc((size_t)b->o->rounds, sizeof *row->times);
    code = bench_row_start(row, b->folder, b->input_count, (int)b->o->threads, b->o->isa);
    if (progress_interrupted()) code = EXIT_FAILED;
  }
  return code;
}

/* The peak is measured with the threads that the SIMD rows use, before and after their turns: the larger counts. */
static int measure_rows(bench *b) {
  int threads = 1;
  int code = start_rows(b);
  for (int i = 2; i < 4 && code == EXIT_DONE; i++)
    if (!b->rows[i].missing) threads = b->rows[i].threads;
  if (code == EXIT_DONE) measure_peak(b, threads);
  if (code == EXIT_DONE) code = take_turns(b);
  if (code == EXIT_DONE) measure_peak(b, threads);
  for (int i = 0; i < BENCH_ROWS && code == EXIT_DONE; i++) {
    if (b->rows[i].missing) continue;
    code = bench_row_energy(&b->rows[i]);
    if (code == EXIT_DONE) code = bench_row_end(&b->rows[i]);
    summarise(&b->rows[i]);
  }
  for (int i = 0; i < BENCH_ROWS; i++) bench_row_stop(&b->rows[i]);
  return code;
}

/* ---- printing ---- */

/* The row that the others are compared with: the first measured. */
static const bench_row *baseline(const bench *b) {
  for (int i = 0; i < BENCH_ROWS; i++)
    if (!b->rows[i].missing) return &b->rows[i];
  return NULL;
}

static double row_gflops(const bench *b, const bench_row *row) {
  return row->macs > 0 && row->median > 0 ? 2e-6 * (double)row->macs * (double)b->batch / row->median : NAN;
}

static double row_peak_share(const bench *b, const bench_row *row) {
  return row->device != RANGO_DEVICE_CPU || b->peak_gflops <= 0 ? NAN : 100 * row_gflops(b, row) / b->peak_gflops;
}

static void number_cell(table *t, const char *format, double value) {
  if (isfinite(value))
    table_cell(t, format, value);
  else
    table_cell(t, "-");
}

static void print_row(const bench *b, table *t, const bench_row *row) {
  const bench_row *first = baseline(b);
  table_cell(t, "%s", row->name);
  if (row->missing) {
    for (int i = 1; i < COLUMNS - 1; i++) table_cell(t, "-");
    table_cell(t, "%s", row->missing);
    return;
  }
  bool percent = b->metric == RANGO_METRIC_TOP1;
  table_cell(t, "%.4g ms", row->median);
  table_cell(t, "%.1f %%", 100 * (1 - row->median / first->median));
  table_cell(t, "%.3gx", first->median / row->median);
  table_cell(t, "%s", text_count(row->params));
  table_cell(t, "%s", text_count(row->macs));
  table_cell(t, "%s", text_bytes(row->bytes));
  table_cell(t, "%s", text_bytes(row->memory));
  number_cell(t, percent ? "%.2f %%" : "%.4g", row->metric);
  number_cell(t, "%.4g mJ", row->energy);
  number_cell(t, "%.1f", row_gflops(b, row));
  number_cell(t, "%.1f %%", row_peak_share(b, row));
  table_cell(t, "%s", "");
}

/* Each once: rows of one device lack the same. */
static void print_energy_reasons(const bench *b) {
  const char *last = "";
  for (int i = 0; i < BENCH_ROWS; i++) {
    const char *reason = b->rows[i].energy_missing;
    if (reason[0] && strcmp(reason, last) != 0) printf("no energy of %s: %s\n", b->rows[i].name, reason);
    if (reason[0]) last = reason;
  }
}

static void print_text(const bench *b) {
  const char *titles[COLUMNS] = {"row",    "time",   "improvement", "speed-up", "params",  "MACs", "size",
                                 "memory", "metric", "energy",      "GFLOP/s",  "of peak", ""};
  if (b->has_metric) titles[8] = metric_key(b->metric);
  table *t = table_create(COLUMNS, titles, "lrrrrrrrrrrrl");
  for (int i = 0; i < BENCH_ROWS; i++)
    if (!b->rows[i].hidden) print_row(b, t, &b->rows[i]);
  table_print(t);
  table_free(t);
  if (b->o->quiet) return;
  const bench_row *first = baseline(b), *simd = !b->rows[2].missing ? &b->rows[2] : &b->rows[3];
  if (first)
    printf("\nmedian of %d rounds, batch %lld; improvement and speed-up over '%s'\n", first->rounds,
           (long long)b->batch, first->name);
  if (!simd->missing)
    printf("%s kernels, %d thread%s; peak measured in this run: %.1f GFLOP/s, %.1f GB/s\n", simd->isa, simd->threads,
           simd->threads == 1 ? "" : "s", b->peak_gflops, b->peak_gbytes);
  if (is_needed(b, false, true) || is_needed(b, true, true)) printf("GPU: %s\n", b->gpu_info.name);
  print_energy_reasons(b);
}

static cJSON *row_json(const bench *b, const bench_row *row) {
  const bench_row *first = baseline(b);
  bool there = !row->missing;
  cJSON *item = json_object();
  char device[32];
  json_text(item, "name", row->name);
  json_text(item, "reason", row->missing);
  session_device_text(row->device, row->gpu, device);
  json_text(item, "device", there ? device : NULL);
  json_integer(item, "batch", b->batch);
  json_count(item, "threads", there ? row->threads : -1);
  json_text(item, "isa", there ? row->isa : NULL);
  json_count(item, "rounds", there ? row->rounds : -1);
  json_number(item, "ms_median", there ? row->median : NAN);
  json_number(item, "ms_start", there ? row->start : NAN);
  json_number(item, "ms_min", there ? row->fastest : NAN);
  json_number(item, "improvement_pct", there ? 100 * (1 - row->median / first->median) : NAN);
  json_number(item, "speedup", there ? first->median / row->median : NAN);
  json_count(item, "params", there ? row->params : -1);
  json_count(item, "macs", there ? row->macs : -1);
  json_count(item, "bytes", there ? row->bytes : -1);
  json_count(item, "memory_bytes", there ? row->memory : -1);
  json_number(item, "metric", row->metric);
  json_number(item, "energy_mj", row->energy);
  json_text(item, "energy_reason", row->energy_missing[0] ? row->energy_missing : NULL);
  json_number(item, "gflops", there ? row_gflops(b, row) : NAN);
  json_number(item, "peak_share_pct", there ? row_peak_share(b, row) : NAN);
  return item;
}

static void print_json(const bench *b) {
  cJSON *root = json_object(), *rows = json_array();
  json_text(root, "model", b->o->model);
  json_text(root, "compressed", b->o->compressed);
  json_integer(root, "batch", b->batch);
  json_number(root, "peak_gflops", b->peak_gflops > 0 ? b->peak_gflops : NAN);
  json_number(root, "peak_gbytes", b->peak_gbytes > 0 ? b->peak_gbytes : NAN);
  json_text(root, "metric", b->has_metric ? metric_key(b->metric) : NULL);
  json_text(root, "gpu", b->gpu_missing[0] ? NULL : b->gpu_info.name);
  for (int i = 0; i < BENCH_ROWS; i++)
    if (!b->rows[i].hidden) json_add(rows, NULL, row_json(b, &b->rows[i]));
  json_add(root, "rows", rows);
  json_print(root);
}

/* ---- the command ---- */

static void remove_folder(const bench *b) {
  char path[4200];
  for (size_t i = 0; i < b->input_count; i++) {
    snprintf(path, sizeof path, "%s/input_%zu.npy", b->folder, i);
    unlink(path);
  }
  rmdir(b->folder);
}

static int run(bench *b) {
  const char *temporary = getenv("TMPDIR");
  snprintf(b->folder, sizeof b->folder, "%s/rango-bench-XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
  if (!mkdtemp(b->folder)) return report_failure_of("%s: the folder can't be made", b->folder);
  int code = prepare_inputs(b);
  if (code == EXIT_DONE) code = measure_rows(b);
  if (code == EXIT_DONE) code = look_at_model(b, false);
  if (code == EXIT_DONE) code = look_at_model(b, true);
  remove_folder(b);
  for (int i = 0; i < BENCH_ROWS; i++) {
    bench_row_stop(&b->rows[i]);
    free(b->rows[i].times);
  }
  if (code == EXIT_DONE) (b->o->json ? print_json : print_text)(b);
  return code;
}

int command_bench(int count, char **arguments) {
  bench_options o = {.rounds = 15};
  const command *self = args_find_command("bench");
  const option options[] = {
      {"compressed", 'c', OPTION_TEXT, &o.compressed, "OUT", "the compressed model: adds the svd rows", 0, 0},
      {"input", 'i', OPTION_LIST, &o.inputs, "[NAME=]X.npy", "data: its first rows are the batch [random numbers]", 0,
       0},
      {"labels", 'l', OPTION_TEXT, &o.labels, "Y.npy", "scores both models on all of the data", 0, 0},
      {"batch", 'b', OPTION_INT, &o.batch, "N", "rows a call [1, or the model's fixed batch]", 1, 1e9},
      {"threads", 't', OPTION_INT, &o.threads, "N", "threads of the simd rows; 0: one a core [0]", 0, 1024},
      {"rounds", 'r', OPTION_INT, &o.rounds, "N", "turns that each row takes [15]", 1, 1e6},
      {"rows", 0, OPTION_TEXT, &o.wanted, "LIST", "some of scalar,svd,simd,svd_simd,gpu,svd_gpu [all]", 0, 0},
      {"isa", 0, OPTION_TEXT, &o.isa, "NAME", "kernels of the simd rows [the CPU's best]", 0, 0},
      {"device", 0, OPTION_TEXT, &o.device, "vulkan[:N]|metal[:N]", "of the gpu rows [the first that is no software]",
       0, 0},
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  bool wanted[BENCH_ROWS];
  bench b = {.o = &o};
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.model, 1, 1, &code))
    return code;
  if (o.labels && !o.inputs.count) return args_wrong(self, "--labels need --input");
  code = choose_rows(self, &o, wanted);
  if (code == EXIT_DONE) code = choose_gpu(self, wanted, &b);
  if (code != EXIT_DONE) return code;
  if (o.quiet) progress_hide();
  signal(SIGPIPE, SIG_IGN); /* a row's process that ended is found when its answer is missing */
  make_rows(&b, wanted);
  return run(&b);
}
