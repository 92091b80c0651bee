/*
 * Matrix products on one thread: the kernels of every instruction set that this CPU runs beside OpenBLAS and BLIS,
 * where they are installed. Everybody multiplies the same numbers, taking turns; a figure is the fastest of 12 rounds
 * in the thread's own time (so that other work on the machine counts little), as a share of the peak of multiply-adds
 * measured in the same rounds. Results are compared.
 *
 * Rango packs the right operand, a layer's weights, once: columns "isa". A BLAS has to at every call, as in "isa+pack".
 *
 *   tools/build release matrix_products && build/release/bench/kernels/matrix_products [TITLE=LIBRARY...]
 *
 * Libraries: anything with cblas_sgemm (OpenBLAS=libopenblas.so.0 BLIS=libblis.so.4). They choose their kernels
 * by themselves; OPENBLAS_CORETYPE=SkylakeX and BLIS_ARCH_TYPE=skx in the environment make them take AVX-512.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/product.h"

enum { ROUNDS = 12, PEAK_ITERATIONS = 50000, MAX_CONTESTANTS = 12, ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

typedef void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a, int lda,
                      const float *b, int ldb, float beta, float *c, int ldc);

/* Somebody who multiplies: kernels of Rango, or a BLAS. */
typedef struct contestant {
  char title[32];
  const rg_kernels *kernels; /* whose peak counts; for a BLAS the CPU's best */
  bool packs;                /* the right operand, at every call */
  sgemm blas;                /* or NULL */
  double best;               /* seconds */
} contestant;

/* c = a b, row-major; `packed` holds b for one contestant. */
typedef struct problem {
  size_t m, n, k;
  float *a, *b, *c, *packed;
  void *scratch;
} problem;

static double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static float *random_floats(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64);
  if (values == NULL) exit(1);
  for (size_t i = 0; i < count; i++) values[i] = (float)(rand() % 1000) / 1000.0f - 0.5f;
  return values;
}

static double peak_seconds(const rg_kernels *kernels) {
  const double begin = seconds_now();
  volatile const float kept = kernels->peak(PEAK_ITERATIONS);
  (void)kept;
  return seconds_now() - begin;
}

static void pack(const rg_kernels *kernels, const problem *p, float *packed) {
  const rg_pack_view view = {.b = p->b,
                             .row = p->n,
                             .column = 1,
                             .k = p->k,
                             .n = p->n,
                             .scale = 1,
                             .total = p->k,
                             .narrow = rg_pack_is_narrow(kernels, p->k, p->n)};
  rg_pack_panel_range(kernels, &view, 0, rg_pack_panels(kernels, p->n), packed);
}

/* The product `repeat` times. */
static void multiply(const contestant *who, const problem *p, int repeat) {
  rg_gemm gemm;
  const rg_product product = {.a = p->a, .a_row = p->k, .a_column = 1, .k = p->k, .b = p->packed, .c = p->c};
  if (who->blas == NULL) rg_gemm_plan(&gemm, who->kernels, 1, 1, p->m, p->n, 1, p->k, 0);
  for (int i = 0; i < repeat; i++) {
    if (who->blas != NULL) {
      who->blas(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, (int)p->m, (int)p->n, (int)p->k, 1, p->a, (int)p->k, p->b,
                (int)p->n, 0, p->c, (int)p->n);
      continue;
    }
    if (who->packs) pack(who->kernels, p, p->packed);
    rg_product_run(&gemm, &product, (rg_activation){RG_ACT_NONE, 0, 0}, NULL, p->scratch);
  }
}

/* What the contestant needs beside the operands. */
static void prepare(const contestant *who, problem *p) {
  size_t count, scratch_bytes;
  rg_gemm gemm;
  if (who->blas != NULL) return;
  rg_gemm_plan(&gemm, who->kernels, 1, 1, p->m, p->n, 1, p->k, 0);
  if (!rg_pack_count(who->kernels, p->k, p->n, &count) || rg_gemm_scratch_bytes(&gemm, &scratch_bytes) != RANGO_OK)
    exit(1);
  p->packed = random_floats(count);
  p->scratch = random_floats(scratch_bytes / sizeof(float) + 1);
  pack(who->kernels, p, p->packed);
}

/* Runs once untimed and holds the result against `truth`, which the first contestant fills. */
static void check(const contestant *who, const problem *p, float *truth, bool first) {
  memset(p->c, 0, p->m * p->n * sizeof(float));
  multiply(who, p, 1);
  if (first) memcpy(truth, p->c, p->m * p->n * sizeof(float));
  for (size_t i = 0; i < p->m * p->n; i++)
    if (!(fabsf(p->c[i] - truth[i]) <= 1e-4f * sqrtf((float)p->k))) {
      fprintf(stderr, "%s is wrong at %zu x %zu x %zu\n", who->title, p->m, p->n, p->k);
      exit(1);
    }
}

static void compare(contestant *all, size_t count, size_t m, size_t n, size_t k) {
  const problem shared = {
      .m = m, .n = n, .k = k, .a = random_floats(m * k), .b = random_floats(k * n), .c = random_floats(m * n)};
  const double work = 2.0 * (double)m * (double)n * (double)k;
  const int repeat = (int)(2e8 / work) + 1;
  problem problems[MAX_CONTESTANTS];
  double peaks[MAX_CONTESTANTS];
  float *truth = random_floats(m * n);
  for (size_t i = 0; i < count; i++) {
    problems[i] = shared;
    prepare(&all[i], &problems[i]);
    check(&all[i], &problems[i], truth, i == 0);
    all[i].best = peaks[i] = INFINITY;
  }
  for (int round = 0; round < ROUNDS; round++)
    for (size_t i = 0; i < count; i++) {
      const double begin = seconds_now();
      multiply(&all[i], &problems[i], repeat);
      all[i].best = fmin(all[i].best, (seconds_now() - begin) / repeat);
      peaks[i] = fmin(peaks[i], peak_seconds(all[i].kernels));
    }
  printf("%5zu x %5zu x %5zu ", m, n, k);
  for (size_t i = 0; i < count; i++) {
    const double peak = PEAK_ITERATIONS * (double)all[i].kernels->peak_flops / peaks[i];
    printf("%9.1f %5.1f %%", 1e-9 * work / all[i].best, 100 * work / all[i].best / peak);
    free(problems[i].packed);
    free(problems[i].scratch);
  }
  printf("\n");
  fflush(stdout);
  free(shared.a);
  free(shared.b);
  free(shared.c);
  free(truth);
}

/* All instruction sets, the CPU's best first and once more with packing. */
static size_t add_rango(contestant *all) {
  static const char *const names[] = {"avx512", "avx2", "neon", "generic"};
  size_t count = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const rg_kernels *kernels;
    if (rg_kernels_get(names[i], &kernels) != RANGO_OK) continue;
    all[count] = (contestant){.kernels = kernels};
    snprintf(all[count++].title, sizeof all->title, "%s", names[i]);
    if (count > 1) continue;
    all[count] = (contestant){.kernels = kernels, .packs = true};
    snprintf(all[count++].title, sizeof all->title, "%s+pack", names[i]);
  }
  return count;
}

/* "TITLE=LIBRARY"; a library that isn't there is said to be missing. */
static bool add_blas(contestant *out, const char *option, const rg_kernels *kernels) {
  const char *path = strchr(option, '=');
  if (path == NULL) {
    fprintf(stderr, "%s: should be TITLE=LIBRARY\n", option);
    exit(2);
  }
  void *library = dlopen(path + 1, RTLD_NOW | RTLD_LOCAL);
  void *function = library == NULL ? NULL : dlsym(library, "cblas_sgemm");
  if (function == NULL) {
    printf("%s is left out: %s\n", option, dlerror());
    return false;
  }
  *out = (contestant){.kernels = kernels};
  memcpy(&out->blas, &function, sizeof function);
  snprintf(out->title, sizeof out->title, "%.*s", (int)(path - option), option);
  return true;
}

int main(int argc, char **argv) {
  static const size_t shapes[][3] = {{2048, 2048, 2048}, {1024, 1024, 1024}, {512, 512, 512}, {256, 256, 256},
                                     {196, 768, 768},    {196, 48, 768},     {196, 768, 48},  {3136, 64, 576},
                                     {3136, 16, 576},    {16, 512, 4608},    {4, 1024, 1024}, {1, 1000, 512},
                                     {1, 4096, 4096}};
  static const char *const usual[] = {"OpenBLAS=libopenblas.so.0", "BLIS=libblis.so.4"};
  static const char *const one_thread[] = {"OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"};
  contestant all[MAX_CONTESTANTS];
  size_t count = add_rango(all);
  for (size_t i = 0; i < sizeof one_thread / sizeof *one_thread; i++) setenv(one_thread[i], "1", 1);
  for (int i = 0; i < (argc > 1 ? argc - 1 : 2) && count < MAX_CONTESTANTS; i++)
    count += add_blas(&all[count], argc > 1 ? argv[i + 1] : usual[i], all[0].kernels);
  printf("rows x columns x inner, GFLOP/s and share of the peak\n%21s", "");
  for (size_t i = 0; i < count; i++) printf("%17s", all[i].title);
  printf("\n");
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    compare(all, count, shapes[s][0], shapes[s][1], shapes[s][2]);
  return 0;
}
