/* A row of `rango bench`: both ends of its process. The child's arguments: MODEL INPUT_FOLDER INPUT_COUNT DEVICE
 * THREADS [ISA]. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include "args.h"
#include "arrays.h"
#include "bench.h"
#include "commands.h"
#include "output.h"
#include "session.h"

#define TURN_MS   10.0 /* short calls are repeated so long in a turn */
#define MAX_CALLS 1000
#define LONG_MS   1000.0 /* meters of energy move in steps of up to a tenth of it */

/* ---- the child ---- */

/* Kilobytes of a line of /proc/self/status, or -1. */
static int64_t status_kilobytes(const char *key) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  int64_t found = -1;
  size_t length = strlen(key);
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, key, length) == 0) found = strtoll(line + length, NULL, 10);
  if (file) fclose(file);
  return found;
}

/* The process's largest size so far. getrusage would count what was there before exec, too. */
static int64_t peak_bytes(void) {
  int64_t kilobytes = status_kilobytes("VmHWM:");
  if (kilobytes >= 0) return 1024 * kilobytes;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return (int64_t)usage.ru_maxrss;
#else
  return 1024 * (int64_t)usage.ru_maxrss;
#endif
}

typedef struct row_child {
  rango_model *model;
  rango_session *session;
  rango_tensor **inputs, **outputs;
  size_t input_count, output_count;
  int64_t start_bytes, input_bytes;
  int calls; /* in a turn */
} row_child;

static int child_fails(const char *message) {
  printf("error %s\n", message);
  fflush(stdout);
  return EXIT_FAILED;
}

static bool child_load(row_child *c, char **arguments) {
  char path[4200];
  c->input_count = strtoul(arguments[2], NULL, 10);
  c->inputs = must_alloc(c->input_count, sizeof(rango_tensor *));
  for (size_t i = 0; i < c->input_count; i++) {
    snprintf(path, sizeof path, "%s/input_%zu.npy", arguments[1], i);
    if (rango_tensor_load_npy(path, &c->inputs[i]) != RANGO_OK) return false;
    c->input_bytes += (int64_t)rango_tensor_bytes(c->inputs[i]);
  }
  rango_session_options settings = {
      .struct_size = sizeof settings, .threads = (int)strtol(arguments[4], NULL, 10), .isa = arguments[5]};
  session_device(arguments[3], &settings.device, &settings.gpu);
  if (rango_model_load(arguments[0], NULL, &c->model) != RANGO_OK) return false;
  if (rango_session_create(c->model, &settings, &c->session) != RANGO_OK) return false;
  c->output_count = rango_model_output_count(c->model);
  c->outputs = must_alloc(c->output_count, sizeof(rango_tensor *));
  return true;
}

/* Outputs are kept from call to call and written in place. */
static bool child_call(row_child *c, double *ms) {
  double start = now_ms();
  rango_status status = rango_session_run(c->session, (const rango_tensor *const *)c->inputs, c->input_count,
                                          c->outputs, c->output_count);
  *ms = now_ms() - start;
  return status == RANGO_OK;
}

static bool child_turn(row_child *c, double *ms) {
  double one, sum = 0;
  for (int i = 0; i < c->calls; i++, sum += one)
    if (!child_call(c, &one)) return false;
  *ms = sum / c->calls;
  return true;
}

static bool child_long(row_child *c, int *calls) {
  const double start = now_ms();
  double ms;
  for (*calls = 0; *calls == 0 || now_ms() - start < LONG_MS; ++*calls)
    if (!child_call(c, &ms)) return false;
  return true;
}

static int child_serve(row_child *c) {
  char line[64];
  double ms;
  int calls;
  while (fgets(line, sizeof line, stdin)) {
    if (strcmp(line, "end\n") == 0) {
      int64_t grown = peak_bytes() - c->start_bytes - c->input_bytes;
      printf("%lld\n", (long long)(grown > 0 ? grown : 0));
      fflush(stdout);
      return EXIT_DONE;
    }
    if (strcmp(line, "long\n") == 0) {
      if (!child_long(c, &calls)) return child_fails(rango_error_message());
      printf("%d\n", calls);
    } else {
      if (!child_turn(c, &ms)) return child_fails(rango_error_message());
      printf("%.17g\n", ms);
    }
    fflush(stdout);
  }
  return EXIT_DONE;
}

static int child_run(row_child *c, char **arguments) {
  rango_session_stats stats = {.struct_size = sizeof stats};
  double ms = 0;
  const double begin = now_ms();
  if (!child_load(c, arguments) || !child_call(c, &ms)) return child_fails(rango_error_message());
  const double start = now_ms() - begin;
  if (!child_call(c, &ms) || rango_session_get_stats(c->session, &stats) != RANGO_OK)
    return child_fails(rango_error_message());
  c->calls = ms >= TURN_MS ? 1 : ms <= TURN_MS / MAX_CALLS ? MAX_CALLS : (int)(TURN_MS / ms) + 1;
  printf("ready %.17g %d %s\n", start, stats.threads, stats.isa);
  fflush(stdout);
  return child_serve(c);
}

int bench_row_main(int count, char **arguments) {
  row_child c = {.start_bytes = peak_bytes()};
  if (count < 5) return EXIT_USAGE;
  int code = child_run(&c, arguments);
  tensors_free(c.outputs, c.output_count);
  tensors_free(c.inputs, c.input_count);
  free(c.outputs);
  free(c.inputs);
  rango_session_free(c.session);
  rango_model_free(c.model);
  return code;
}

/* ---- the parent ---- */

static const char *own_path(void) {
#ifdef __APPLE__
  static char path[4096];
  uint32_t bytes = sizeof path;
  return _NSGetExecutablePath(path, &bytes) == 0 ? path : "rango";
#else
  return "/proc/self/exe";
#endif
}

/* In the child: becomes this program again, as a row. Where that isn't possible (under an emulator) the forked process
 * goes on instead. */
static void become_row(const int *in, const int *out, char **arguments) {
  dup2(in[0], STDIN_FILENO);
  dup2(out[1], STDOUT_FILENO);
  close(in[0]), close(in[1]), close(out[0]), close(out[1]);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  execv(own_path(), arguments);
  int count = 0;
  while (arguments[2 + count]) count++;
  exit(bench_row_main(count, arguments + 2));
}

/* The child's next line without its end; prints the child's error. */
static int read_answer(bench_row *row, char *line, int bytes) {
  if (!fgets(line, bytes, row->from))
    return report_failure_of("%s: row %s: its process ended unexpectedly", row->model, row->name);
  line[strcspn(line, "\n")] = 0;
  if (strncmp(line, "error ", 6) == 0) return report_failure_of("%s: row %s: %s", row->model, row->name, line + 6);
  return EXIT_DONE;
}

static int command_row(bench_row *row, const char *order, char *line, int bytes) {
  fprintf(row->to, "%s\n", order);
  fflush(row->to);
  return read_answer(row, line, bytes);
}

int bench_row_start(bench_row *row, const char *inputs, size_t input_count, int threads, const char *isa) {
  int in[2], out[2];
  char counts[32], number[32], device[32], line[1200];
  if (pipe(in) != 0) return report_failure_of("row %s: no pipe", row->name);
  if (pipe(out) != 0) {
    close(in[0]), close(in[1]);
    return report_failure_of("row %s: no pipe", row->name);
  }
  snprintf(counts, sizeof counts, "%zu", input_count);
  snprintf(number, sizeof number, "%d", row->device == RANGO_DEVICE_REFERENCE ? 1 : threads);
  session_device_text(row->device, row->gpu, device);
  char *arguments[] = {(char *)"rango",
                       (char *)BENCH_ROW_COMMAND,
                       (char *)row->model,
                       (char *)inputs,
                       counts,
                       device,
                       number,
                       (char *)isa,
                       NULL};
  fflush(stdout);
  row->process = fork();
  if (row->process == 0) become_row(in, out, arguments);
  close(in[0]), close(out[1]);
  row->to = fdopen(in[1], "w");
  row->from = fdopen(out[0], "r");
  if (row->process < 0 || !row->to || !row->from) return report_failure_of("row %s: no process", row->name);
  int code = read_answer(row, line, sizeof line);
  if (code != EXIT_DONE) return code;
  char *rest = line + strlen("ready ");
  row->start = strtod(rest, &rest);
  row->threads = (int)strtol(rest, &rest, 10);
  snprintf(row->isa, sizeof row->isa, "%s", rest + (*rest == ' '));
  return EXIT_DONE;
}

int bench_row_turn(bench_row *row) {
  char line[1200];
  double start = now_ms();
  int code = command_row(row, "go", line, sizeof line);
  if (code != EXIT_DONE) return code;
  row->times[row->rounds++] = strtod(line, NULL);
  row->spent += now_ms() - start;
  return EXIT_DONE;
}

int bench_row_energy(bench_row *row) {
  char line[1200];
  rango_meter *meter = NULL;
  double before = 0, after = 0;
  int code = EXIT_DONE;
  if (rango_meter_create(row->device, row->gpu, &meter) == RANGO_OK && rango_meter_read(meter, &before) == RANGO_OK) {
    code = command_row(row, "long", line, sizeof line);
    const long calls = code == EXIT_DONE ? strtol(line, NULL, 10) : 0;
    if (calls > 0 && rango_meter_read(meter, &after) == RANGO_OK) row->energy = 1000 * (after - before) / (double)calls;
  }
  if (code == EXIT_DONE && isnan(row->energy))
    snprintf(row->energy_missing, sizeof row->energy_missing, "%s", rango_error_message());
  rango_meter_free(meter);
  return code;
}

int bench_row_end(bench_row *row) {
  char line[1200];
  int code = command_row(row, "end", line, sizeof line);
  row->ended = code == EXIT_DONE;
  if (code == EXIT_DONE) row->memory = strtoll(line, NULL, 10);
  return code;
}

void bench_row_stop(bench_row *row) {
  if (row->to) fclose(row->to);
  if (row->from) fclose(row->from);
  row->to = row->from = NULL;
  if (row->process > 0) {
    if (!row->ended) kill(row->process, SIGTERM);
    waitpid(row->process, NULL, 0);
  }
  row->process = 0;
}
