/* rango manifold */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "report.h"
#include "spectrum.h"

static const char methods[] = "pca|whitney";

typedef struct manifold_options {
  const char *input, *output, *report;
  char *command; /* for the report */
  int64_t project, seed, threads;
  int method;
  bool json, quiet;
} manifold_options;

static const char *method_name(rango_projection_method method) {
  return method == RANGO_PROJECT_WHITNEY ? "whitney" : "pca";
}

static cJSON *projection_json(const rango_projection *p) {
  if (!p) return cJSON_CreateNull();
  cJSON *item = json_object(), *profile = json_array();
  json_text(item, "method", method_name(p->method));
  json_integer(item, "coordinates", p->coordinates);
  json_number(item, "kappa", p->kappa);
  json_number(item, "variance", p->variance);
  json_number(item, "overlap", p->overlap);
  json_number(item, "trustworthiness", p->trustworthiness);
  json_number(item, "continuity", p->continuity);
  for (int i = 0; i < p->profile_count; i++) {
    cJSON *at = json_object();
    json_integer(at, "coordinates", p->profile[i].coordinates);
    json_number(at, "whitney", p->profile[i].whitney);
    json_number(at, "pca", p->profile[i].pca);
    json_add(profile, NULL, at);
  }
  json_add(item, "profile", profile);
  return item;
}

static void print_json(const manifold_options *o, const rango_manifold *manifold) {
  cJSON *root = json_object(), *spectrum = json_object();
  const rango_portrait *portrait = rango_manifold_portrait(manifold);
  json_text(root, "input", o->input);
  json_text(root, "output", o->output);
  if (portrait) {
    add_portrait(spectrum, portrait);
  } else {
    json_spectrum(spectrum, rango_manifold_spectrum(manifold));
    json_add(spectrum, "shares", cJSON_CreateNull());
    json_add(spectrum, "directions", cJSON_CreateNull());
  }
  json_add(root, "spectrum", spectrum);
  json_add(root, "projection", projection_json(rango_manifold_projection(manifold)));
  json_text(root, "report", o->report);
  json_text(root, "command", o->command);
  json_print(root);
}

static void print_decimation(const rango_spectrum *s) {
  static const char *const titles[] = {"rows",   "TwoNN",   "MLE",       "correlation",
                                       "angles", "nearest", "local PCA", "combined"};
  if (s->decimations == 0) return;
  table *t = table_create(8, titles, "rrrrrrrr");
  for (int i = 0; i < s->decimations; i++) {
    table_cell(t, "%lld", (long long)s->decimation[i].rows);
    for (int e = 0; e < RANGO_ESTIMATORS; e++) {
      double value = s->decimation[i].estimates[e].value;
      table_cell(t, isfinite(value) ? "%.2f" : "-", value);
    }
  }
  printf("\nEstimates from fewer rows:\n");
  table_print(t);
  table_free(t);
}

static void print_projection(const rango_projection *p) {
  static const char *const titles[] = {"coordinates", "kappa (whitney)", "kappa (pca)"};
  table *t = table_create(3, titles, "rrr");
  for (int i = 0; i < p->profile_count; i++) {
    table_cell(t, "%lld", (long long)p->profile[i].coordinates);
    table_cell(t, "%.3f", p->profile[i].whitney);
    table_cell(t, "%.3f", p->profile[i].pca);
  }
  printf("\nShortest secant:\n");
  table_print(t);
  table_free(t);
  printf("\n%lld coordinates (%s): kappa %.3f, %.1f %% of the variance", (long long)p->coordinates,
         method_name(p->method), p->kappa, 100 * p->variance);
  if (isfinite(p->overlap))
    printf(", %.1f %% of the 10 nearest neighbours kept\ntrustworthiness %.3f, continuity %.3f", 100 * p->overlap,
           p->trustworthiness, p->continuity);
  putchar('\n');
}

static void print_text(const manifold_options *o, const rango_manifold *manifold) {
  const rango_spectrum *spectrum = rango_manifold_spectrum(manifold);
  table *t = spectrum_table_create();
  spectrum_table_add(t, "(the data)", "", spectrum);
  spectrum_table_print(t);
  print_decimation(spectrum);
  if (rango_manifold_projection(manifold)) print_projection(rango_manifold_projection(manifold));
  if (o->output && !o->quiet) printf("%s written\n", o->output);
  if (o->report && !o->quiet) printf("%s written\n", o->report);
}

static rango_status write_report(const manifold_options *o, const rango_manifold *manifold) {
  rango_report_options options = {.struct_size = sizeof options, .title = o->input, .command = o->command};
  return rango_manifold_write_report(manifold, o->report, &options);
}

static int manifold_of(const manifold_options *o) {
  rango_tensor *samples = NULL;
  rango_manifold *manifold = NULL;
  rango_manifold_options options = {.struct_size = sizeof options,
                                    .project = o->project,
                                    .method = (rango_projection_method)o->method,
                                    .seed = (uint64_t)o->seed,
                                    .threads = (int)o->threads,
                                    .portrait = o->report != NULL};
  rango_status status = rango_tensor_load_npy(o->input, &samples);
  if (status == RANGO_OK) status = rango_manifold_create(samples, &options, &manifold);
  if (status == RANGO_OK && o->output) status = rango_tensor_save_npy(rango_manifold_projected(manifold), o->output);
  if (status == RANGO_OK && o->report) status = write_report(o, manifold);
  if (status == RANGO_OK) (o->json ? print_json : print_text)(o, manifold);
  rango_manifold_free(manifold);
  rango_tensor_free(samples);
  return status == RANGO_OK ? EXIT_DONE : report_failure_on(o->input);
}

int command_manifold(int count, char **arguments) {
  manifold_options o = {.seed = 1};
  const command *self = args_find_command("manifold");
  const option options[] = {
      {"project", 'p', OPTION_INT, &o.project, "N", "project to N coordinates", 1, 1e6},
      {"method", 0, OPTION_CHOICE, &o.method, methods, "how to project [pca]", 0, 0},
      {"output", 'o', OPTION_TEXT, &o.output, "Y.npy", "where to write the projected rows", 0, 0},
      {"report", 0, OPTION_TEXT, &o.report, "FILE.html", "all of that as one page for a browser", 0, 0},
      {"seed", 0, OPTION_INT, &o.seed, "N", "of the random choices [1]", 0, 0},
      {"threads", 't', OPTION_INT, &o.threads, "N", "threads; 0: one a core [0]", 0, 1024},
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.input, 0, 1, &code))
    return code;
  if (!o.input) return args_wrong(self, "no data given: rango manifold X.npy");
  if (o.output && !o.project) return args_wrong(self, "--output needs --project N");
  if (o.report && (strcmp(o.report, o.input) == 0 || (o.output && strcmp(o.report, o.output) == 0)))
    return args_wrong(self, "the report needs a name of its own, not '%s'", o.report);
  if (o.report && check_folder(o.report) != EXIT_DONE) return EXIT_FAILED;
  o.command = command_line("manifold", count, arguments);
  code = manifold_of(&o);
  free(o.command);
  return code;
}
