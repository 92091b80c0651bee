/* rango svd */
#include <math.h>
#include <stdio.h>

#include "args.h"
#include "commands.h"
#include "output.h"

typedef struct svd_options {
  const char *input, *output;
  int64_t rank, seed, threads;
  double tolerance;
  bool json, quiet;
} svd_options;

static void print_result(const svd_options *o, const rango_svd *svd, const rango_tensor *matrix) {
  int64_t m = rango_tensor_dims(matrix)[0], n = rango_tensor_dims(matrix)[1], rank = rango_svd_rank(svd);
  if (o->json) {
    cJSON *root = json_object();
    json_text(root, "input", o->input);
    json_text(root, "output", o->output);
    json_integer(root, "rows", m);
    json_integer(root, "columns", n);
    json_integer(root, "rank", rank);
    json_number(root, "error", rango_svd_error(svd));
    json_add(root, "exact", cJSON_CreateBool(rango_svd_exact(svd)));
    json_integer(root, "numbers_before", m * n);
    json_integer(root, "numbers_after", rank * (m + n + 1));
    json_print(root);
    return;
  }
  printf("%lld x %lld, rank %lld: relative error %.4g, %s of %s numbers (%s)\n", (long long)m, (long long)n,
         (long long)rank, rango_svd_error(svd), text_count(rank * (m + n + 1)), text_count(m * n),
         rango_svd_exact(svd) ? "exact" : "randomised range finder");
  if (!o->quiet) printf("%s written\n", o->output);
}

static int decompose(const svd_options *o) {
  rango_tensor *matrix = NULL;
  rango_svd *svd = NULL;
  rango_svd_options options = {.struct_size = sizeof options,
                               .rank = o->rank,
                               .tolerance = isnan(o->tolerance) ? 0 : o->tolerance,
                               .seed = (uint64_t)o->seed,
                               .threads = (int)o->threads};
  rango_status status = rango_tensor_load_npy(o->input, &matrix);
  if (status == RANGO_OK) status = rango_svd_create(matrix, &options, &svd);
  if (status == RANGO_OK) status = rango_svd_save(svd, o->output);
  if (status == RANGO_OK) print_result(o, svd, matrix);
  rango_svd_free(svd);
  rango_tensor_free(matrix);
  return status == RANGO_OK ? EXIT_DONE : report_failure_on(o->input);
}

int command_svd(int count, char **arguments) {
  svd_options o = {.seed = 1, .tolerance = NAN};
  const command *self = args_find_command("svd");
  const option options[] = {
      {"rank", 'r', OPTION_INT, &o.rank, "R", "at most so many terms", 1, 1e6},
      {"tolerance", 0, OPTION_NUMBER, &o.tolerance, "T", "the fewest terms with a relative error of at most T", 1e-6,
       1},
      {"output", 'o', OPTION_TEXT, &o.output, "F.npz", "where to write u, s and vt", 0, 0},
      {"seed", 0, OPTION_INT, &o.seed, "N", "of the random choices [1]", 0, 0},
      {"threads", 't', OPTION_INT, &o.threads, "N", "threads; 0: one a core [0]", 0, 1024},
      COMMON_OPTIONS(&o.json, &o.quiet),
  };
  int code;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, &o.input, 0, 1, &code))
    return code;
  if (!o.input) return args_wrong(self, "no matrix given: rango svd A.npy");
  if (!o.rank && isnan(o.tolerance)) return args_wrong(self, "needs --rank R or --tolerance T");
  if (!o.output) return args_wrong(self, "no output given: --output F.npz");
  return decompose(&o);
}
