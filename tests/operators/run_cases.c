/*
 * Runs cases in the layout of the ONNX backend tests through a session and compares all outputs:
 *
 *     CASE/model.onnx  CASE/test_data_set_N/input_I.pb  CASE/test_data_set_N/output_I.pb
 *
 * Each case runs in a process of its own with a time limit, so that none stops the rest. Inference is checked beside
 * it: what it says of an output must be true of the output.
 */
#include "compare.h"

#include "ops/op.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_VALUES  64
#define MAX_PATH    1024
#define MAX_MESSAGE 600

typedef enum verdict { PASSED, FAILED, UNSUPPORTED, SKIPPED, OUTCOMES } verdict;
static const char *const outcome_names[OUTCOMES] = {"passed", "failed", "unsupported", "skipped"};

typedef struct settings {
  rango_session_options session;
  rg_tolerance tolerance;
  unsigned seconds; /* of one case */
  bool list, quiet, print_passed;
  bool survive; /* no outputs to compare: running and refusing are both right, only crashing is wrong */
  const char *filter, *expected;
} settings;

typedef struct case_result {
  verdict outcome;
  int outputs, concrete; /* outputs compared, and how many of them inference knew completely beforehand */
  char message[MAX_MESSAGE];
} case_result;

static bool exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

/* ---- one case ---- */

static void fail(case_result *out, verdict outcome, const char *what) {
  out->outcome = outcome;
  snprintf(out->message, sizeof out->message, "%s: %s", what, rango_error_message());
}

/* Loads `kind`_0.pb ... of a data set; false when a file can't be read. */
static bool load_tensors(const char *folder, const char *kind, size_t count, rango_tensor **tensors) {
  char path[MAX_PATH + 64];
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s_%zu.pb", folder, kind, i);
    if (rango_tensor_load_pb(path, &tensors[i]) != RANGO_OK) return false;
  }
  return true;
}

static bool agrees(const rg_fact *fact, const rango_tensor *tensor) {
  if (fact->kind != RG_KIND_TENSOR && fact->kind != RG_KIND_NONE) return false;
  if (fact->type != RANGO_UNDEFINED && fact->type != tensor->type) return false;
  if (fact->rank < 0) return true;
  bool same = fact->rank == tensor->shape.rank;
  for (int i = 0; same && i < fact->rank; i++)
    same = !rg_size_is_known(fact->dims[i]) || fact->dims[i] == tensor->shape.dims[i];
  return same;
}

/* What inference says for these inputs must be true of the expected outputs. */
static void check_inference(const char *model_path, rango_tensor *const *inputs, size_t input_count,
                            rango_tensor *const *outputs, size_t output_count, case_result *out) {
  rango_model *model = NULL;
  rg_facts *facts = NULL;
  rg_fact given[MAX_VALUES];
  memset(given, 0, sizeof given);
  for (size_t i = 0; i < input_count; i++)
    rg_fact_set(&given[i], inputs[i]->type, inputs[i]->shape.rank, inputs[i]->shape.dims);
  if (rango_model_load(model_path, NULL, &model) != RANGO_OK || rg_ops_resolve(model, true) != RANGO_OK ||
      rg_facts_create(model, given, input_count, NULL, 0, &facts) != RANGO_OK)
    fail(out, FAILED, "inference");
  for (size_t i = 0; facts && i < output_count; i++) {
    const rg_fact *fact = rg_facts_of(facts, model->graph->outputs.items[i]);
    out->outputs++;
    out->concrete += rg_fact_is_concrete(fact);
    if (!agrees(fact, outputs[i])) {
      char text[RG_SHAPE_TEXT];
      rg_shape shape = {.rank = fact->rank < 0 ? 0 : fact->rank};
      for (int k = 0; k < shape.rank; k++) shape.dims[k] = rg_size_is_known(fact->dims[k]) ? fact->dims[k] : -1;
      out->outcome = FAILED;
      snprintf(out->message, sizeof out->message, "inference says output %zu is %s %s", i, rango_type_name(fact->type),
               rg_shape_text(&shape, text, sizeof text));
    }
  }
  rg_facts_free(facts);
  rango_model_free(model);
}

static void run_set(const settings *options, const char *model_path, const char *folder, rango_session *session,
                    size_t input_count, size_t output_count, case_result *out) {
  rango_tensor *inputs[MAX_VALUES] = {NULL}, *expected[MAX_VALUES] = {NULL}, *got[MAX_VALUES] = {NULL};
  size_t compared = options->survive ? 0 : output_count;
  if (!load_tensors(folder, "input", input_count, inputs) || !load_tensors(folder, "output", compared, expected)) {
    fail(out, FAILED, "test data");
  } else if (rango_session_run(session, (const rango_tensor *const *)inputs, input_count, got, output_count) !=
             RANGO_OK) {
    fail(out, FAILED, "run");
  } else {
    for (size_t i = 0; i < compared && out->outcome == PASSED; i++) {
      char message[MAX_MESSAGE - 40];
      if (compare_tensors(got[i], expected[i], &options->tolerance, message, sizeof message)) continue;
      out->outcome = FAILED;
      snprintf(out->message, sizeof out->message, "output %zu %s", i, message);
    }
    if (out->outcome == PASSED) check_inference(model_path, inputs, input_count, expected, compared, out);
  }
  for (size_t i = 0; i < MAX_VALUES; i++) {
    rango_tensor_free(inputs[i]);
    rango_tensor_free(expected[i]);
    rango_tensor_free(got[i]);
  }
}

/* Values that are no tensors (sequences, optionals, maps) have no public form. */
static bool all_tensors(const rango_model *model) {
  rango_value_info info;
  for (size_t i = 0; i < rango_model_input_count(model); i++)
    if (rango_model_input(model, i, &info) != RANGO_OK || info.type == RANGO_UNDEFINED) return false;
  for (size_t i = 0; i < rango_model_output_count(model); i++)
    if (rango_model_output(model, i, &info) != RANGO_OK || info.type == RANGO_UNDEFINED) return false;
  return true;
}

static void run_case(const settings *options, const char *folder, case_result *out) {
  char path[MAX_PATH + 64], set[MAX_PATH + 32];
  rango_model *model = NULL;
  rango_session *session = NULL;
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  rango_status status = rango_model_load(path, NULL, &model);
  if (status != RANGO_OK) {
    fail(out, status == RANGO_ERROR_UNSUPPORTED ? UNSUPPORTED : FAILED, "load");
    return;
  }
  size_t inputs = rango_model_input_count(model), outputs = rango_model_output_count(model);
  if (!all_tensors(model) || inputs > MAX_VALUES || outputs > MAX_VALUES) {
    out->outcome = SKIPPED;
    snprintf(out->message, sizeof out->message, "an input or output is no tensor");
  } else if ((status = rango_session_create(model, &options->session, &session)) != RANGO_OK) {
    fail(out, status == RANGO_ERROR_UNSUPPORTED ? UNSUPPORTED : FAILED, "session");
  } else {
    for (int i = 0; out->outcome == PASSED; i++) {
      snprintf(set, sizeof set, "%s/test_data_set_%d", folder, i);
      if (!exists(set)) break;
      run_set(options, path, set, session, inputs, outputs, out);
    }
  }
  rango_session_free(session);
  rango_model_free(model);
}

/* In a process of its own; a crash or a timeout is a failure like any other. */
static void run_apart(const settings *options, const char *folder, case_result *out) {
  int ends[2], status = 0;
  pid_t child = -1;
  memset(out, 0, sizeof *out);
  fflush(stdout);
  if (pipe(ends) != 0 || (child = fork()) < 0) {
    out->outcome = FAILED;
    snprintf(out->message, sizeof out->message, "no process for it");
    return;
  }
  if (child == 0) {
    close(ends[0]);
    alarm(options->seconds);
    run_case(options, folder, out);
    if (options->survive && out->outcome != PASSED) out->outcome = UNSUPPORTED;
    bool written = write(ends[1], out, sizeof *out) == (ssize_t)sizeof *out;
    exit(written ? 0 : 1);
  }
  close(ends[1]);
  bool whole = read(ends[0], out, sizeof *out) == (ssize_t)sizeof *out;
  close(ends[0]);
  waitpid(child, &status, 0);
  if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  out->outcome = FAILED;
  snprintf(out->message, sizeof out->message, "its process ended with %s %d", WIFSIGNALED(status) ? "signal" : "code",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* ---- all cases ---- */

typedef struct cases {
  char **names; /* folders */
  size_t count;
} cases;

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add_case(cases *all, const char *folder) {
  char **names = realloc(all->names, (all->count + 1) * sizeof *names);
  if (!names) return;
  all->names = names;
  all->names[all->count] = strdup(folder);
  if (all->names[all->count]) all->count++;
}

/* `folder` itself when it is a case, otherwise its subfolders that are. */
static void find_cases(cases *all, const char *folder) {
  char path[MAX_PATH], model[MAX_PATH + 16];
  snprintf(model, sizeof model, "%s/model.onnx", folder);
  if (exists(model)) {
    add_case(all, folder);
    return;
  }
  DIR *listing = opendir(folder);
  if (!listing) return;
  size_t first = all->count;
  for (struct dirent *entry; (entry = readdir(listing));) {
    if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) continue;
    snprintf(model, sizeof model, "%s/model.onnx", path);
    if (entry->d_name[0] != '.' && exists(model)) add_case(all, path);
  }
  closedir(listing);
  if (all->count > first) qsort(all->names + first, all->count - first, sizeof *all->names, by_name);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Whether `name` is a line of the file of cases that must pass. */
static bool is_expected(const char *expected, const char *name) {
  size_t length = strlen(name);
  for (const char *at = expected; (at = strstr(at, name)); at += length)
    if ((at == expected || at[-1] == '\n') && (at[length] == '\n' || at[length] == '\0')) return true;
  return false;
}

static char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  if (file && fseek(file, 0, SEEK_END) == 0) {
    long bytes = ftell(file);
    rewind(file);
    text = bytes >= 0 ? calloc(1, (size_t)bytes + 1) : NULL;
    if (text && fread(text, 1, (size_t)bytes, file) != (size_t)bytes) text[0] = '\0';
  }
  if (file) fclose(file);
  return text;
}

/* Runs all; returns how many failures count: all, or those of cases that are expected to pass. */
static size_t run_all(const settings *options, const cases *all, const char *expected) {
  size_t counts[OUTCOMES] = {0}, wrong = 0;
  int outputs = 0, concrete = 0;
  for (size_t i = 0; i < all->count; i++) {
    const char *name = base_name(all->names[i]);
    case_result result;
    if (options->filter && !strstr(name, options->filter)) continue;
    if (options->list) {
      puts(name);
      continue;
    }
    run_apart(options, all->names[i], &result);
    counts[result.outcome]++;
    outputs += result.outputs;
    concrete += result.concrete;
    bool must = !expected || is_expected(expected, name);
    if (must && (result.outcome == FAILED || (result.outcome == UNSUPPORTED && !options->survive))) wrong++;
    if (result.outcome == PASSED && options->print_passed) printf("%s\n", name);
    if (result.outcome != PASSED && !options->quiet && !(options->survive && result.outcome == UNSUPPORTED))
      printf("%s%s %s: %s\n", expected && must ? "must pass, " : "", outcome_names[result.outcome], name,
             result.message);
    fflush(stdout);
  }
  if (options->list || options->print_passed) return 0;
  size_t total = counts[PASSED] + counts[FAILED] + counts[UNSUPPORTED] + counts[SKIPPED];
  printf(
      "%zu cases: %zu passed, %zu failed, %zu unsupported, %zu skipped; shapes of %d of %d outputs known beforehand\n",
      total, counts[PASSED], counts[FAILED], counts[UNSUPPORTED], counts[SKIPPED], concrete, outputs);
  if (total == 0) wrong++;
  return wrong;
}

static int usage(void) {
  fputs("usage: run_cases [--device cpu|reference] [--isa ISA] [--threads N] [--rtol R] [--atol A] [--elementwise]\n"
        "                 [--seconds N] [--filter TEXT] [--expected FILE] [--survive] [--list] [--passed] [--quiet] "
        "FOLDER...\n",
        stderr);
  return 2;
}

static bool parse(int argc, char **argv, settings *options, cases *all) {
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strncmp(name, "--", 2) != 0) {
      find_cases(all, name);
      continue;
    }
    if (strcmp(name, "--elementwise") == 0)
      options->tolerance.elementwise = true;
    else if (strcmp(name, "--survive") == 0)
      options->survive = true;
    else if (strcmp(name, "--list") == 0)
      options->list = true;
    else if (strcmp(name, "--passed") == 0)
      options->print_passed = options->quiet = true;
    else if (strcmp(name, "--quiet") == 0)
      options->quiet = true;
    else if (!value)
      return false;
    else if (++i, strcmp(name, "--device") == 0)
      options->session.device = strcmp(value, "reference") == 0 ? RANGO_DEVICE_REFERENCE : RANGO_DEVICE_CPU;
    else if (strcmp(name, "--isa") == 0)
      options->session.isa = value;
    else if (strcmp(name, "--threads") == 0)
      options->session.threads = atoi(value);
    else if (strcmp(name, "--rtol") == 0)
      options->tolerance.relative = atof(value);
    else if (strcmp(name, "--atol") == 0)
      options->tolerance.absolute = atof(value);
    else if (strcmp(name, "--seconds") == 0)
      options->seconds = (unsigned)atoi(value);
    else if (strcmp(name, "--filter") == 0)
      options->filter = value;
    else if (strcmp(name, "--expected") == 0)
      options->expected = value;
    else
      return false;
  }
  return true;
}

int main(int argc, char **argv) {
  settings options = {.session = {.struct_size = sizeof(rango_session_options), .threads = 1},
                      .tolerance = {.relative = 1e-4, .absolute = 1e-6},
                      .seconds = 60};
  cases all = {NULL, 0};
  if (!parse(argc, argv, &options, &all)) return usage();
  char *expected = options.expected ? read_text(options.expected) : NULL;
  if (options.expected && !expected) {
    fprintf(stderr, "run_cases: cannot read %s\n", options.expected);
    return 2;
  }
  size_t wrong = run_all(&options, &all, expected);
  for (size_t i = 0; i < all.count; i++) free(all.names[i]);
  free(all.names);
  free(expected);
  return wrong ? 1 : 0;
}
