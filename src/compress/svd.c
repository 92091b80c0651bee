/* rango_svd: a matrix as a product of thin ones. */
#include <math.h>

#include "base/memory.h"
#include "compress/dataset.h"
#include "linalg/linalg.h"
#include "rango_compress.h"
#include "tensor/tensor.h"

#define EXACT_MOST 1500 /* smaller side up to which all singular values are taken */
#define FIRST_RANK 64   /* where the search for a tolerance's rank begins; doubled */

struct rango_svd {
  int64_t rank;
  double error;
  bool exact;
  rango_tensor *u, *s, *vt;
};

void rango_svd_free(rango_svd *svd) {
  if (!svd) return;
  rango_tensor_free(svd->u);
  rango_tensor_free(svd->s);
  rango_tensor_free(svd->vt);
  rg_free(svd);
}

int64_t rango_svd_rank(const rango_svd *svd) { return svd ? svd->rank : 0; }
double rango_svd_error(const rango_svd *svd) { return svd ? svd->error : NAN; }
bool rango_svd_exact(const rango_svd *svd) { return svd && svd->exact; }
const rango_tensor *rango_svd_u(const rango_svd *svd) { return svd ? svd->u : NULL; }
const rango_tensor *rango_svd_s(const rango_svd *svd) { return svd ? svd->s : NULL; }
const rango_tensor *rango_svd_vt(const rango_svd *svd) { return svd ? svd->vt : NULL; }

/* Terms that are there: u [m][count], s [count], vt [count][n]. */
typedef struct terms {
  int64_t m, n, count;
  double *u, *s, *vt, total; /* ||a||^2 */
} terms;

static void terms_free(terms *t) {
  rg_free(t->u);
  rg_free(t->s);
  rg_free(t->vt);
  t->u = t->s = t->vt = NULL;
}

/* Relative error after `rank` terms: what the squares of the singular values leave of ||a||^2. */
static double error_of(const terms *t, int64_t rank) {
  double left = t->total;
  for (int64_t i = 0; i < rank; i++) left -= t->s[i] * t->s[i];
  return t->total > 0 ? sqrt(fmax(left, 0) / t->total) : 0;
}

static int64_t enough(const terms *t, const rango_svd_options *options) {
  int64_t limit = options->rank && options->rank < t->count ? options->rank : t->count, rank = 1;
  if (!(options->tolerance > 0)) return limit;
  while (rank < limit && error_of(t, rank) > options->tolerance) rank++;
  return rank;
}

static rango_status take_terms(const double *a, int64_t count, bool exact, uint64_t seed, terms *t) {
  terms_free(t);
  t->count = count;
  RG_TRY(rg_alloc((size_t)(t->m * count) * sizeof *t->u, RG_OUT(&t->u)));
  RG_TRY(rg_alloc((size_t)count * sizeof *t->s, RG_OUT(&t->s)));
  RG_TRY(rg_alloc((size_t)(count * t->n) * sizeof *t->vt, RG_OUT(&t->vt)));
  return exact ? rg_svd_thin(a, t->m, t->n, t->u, t->s, t->vt)
               : rg_svd_leading(a, t->m, t->n, count, seed, t->u, t->s, t->vt);
}

/* All terms of a small matrix; of a large one as many as are asked for, or twice as many until the tolerance is met. */
static rango_status decompose(const double *a, const rango_svd_options *options, terms *t, bool *exact) {
  int64_t least = t->m < t->n ? t->m : t->n, most = options->rank && options->rank < least ? options->rank : least;
  *exact = least <= EXACT_MOST || 2 * most > least;
  if (*exact) return take_terms(a, least, true, 0, t);
  bool search = options->tolerance > 0;
  for (int64_t count = search && FIRST_RANK < most ? FIRST_RANK : most;; count = 2 * count < most ? 2 * count : most) {
    *exact = 2 * count > least;
    RG_TRY(take_terms(a, *exact ? least : count, *exact, options->seed, t));
    if (*exact || count == most || error_of(t, count) <= options->tolerance) return RANGO_OK;
  }
}

static rango_status keep(const terms *t, int64_t rank, rango_svd *svd) {
  svd->rank = rank;
  svd->error = error_of(t, rank);
  RG_TRY(rango_tensor_create(RANGO_FLOAT32, 2, (int64_t[]){t->m, rank}, &svd->u));
  RG_TRY(rango_tensor_create(RANGO_FLOAT32, 1, (int64_t[]){rank}, &svd->s));
  RG_TRY(rango_tensor_create(RANGO_FLOAT32, 2, (int64_t[]){rank, t->n}, &svd->vt));
  float *u = rango_tensor_data_mut(svd->u), *s = rango_tensor_data_mut(svd->s), *vt = rango_tensor_data_mut(svd->vt);
  for (int64_t i = 0; i < t->m; i++)
    for (int64_t j = 0; j < rank; j++) u[i * rank + j] = (float)t->u[i * t->count + j];
  for (int64_t i = 0; i < rank; i++) s[i] = (float)t->s[i];
  for (int64_t i = 0; i < rank * t->n; i++) vt[i] = (float)t->vt[i];
  return RANGO_OK;
}

static rango_status check(const rango_tensor *matrix, const rango_svd_options *options) {
  RG_FAIL_IF(options->struct_size < sizeof *options, RANGO_ERROR_ARGUMENT, "SVD: struct_size is not set");
  RG_FAIL_IF(matrix->type == RANGO_STRING || matrix->shape.rank != 2, RANGO_ERROR_ARGUMENT,
             "SVD: needs a matrix of numbers, two axes, not %d", matrix->shape.rank);
  RG_FAIL_IF(matrix->shape.dims[0] < 1 || matrix->shape.dims[1] < 1, RANGO_ERROR_ARGUMENT, "SVD: an empty matrix");
  RG_FAIL_IF(options->rank < 0 || !(options->tolerance >= 0) || (options->rank == 0 && options->tolerance == 0),
             RANGO_ERROR_ARGUMENT, "SVD: needs a rank of at least 1 or a tolerance above 0");
  return RANGO_OK;
}

rango_status rango_svd_create(const rango_tensor *matrix, const rango_svd_options *options, rango_svd **out) {
  RG_FAIL_IF(!matrix || !options || !out, RANGO_ERROR_ARGUMENT, "SVD: NULL argument");
  RG_TRY(check(matrix, options));
  *out = NULL;
  terms t = {.m = matrix->shape.dims[0], .n = matrix->shape.dims[1]};
  double *a = NULL;
  rango_svd *svd = NULL;
  rango_status status;
  int before = rg_linalg_set_threads(options->threads);
  RG_TRY_DONE(rg_calloc(1, sizeof *svd, RG_OUT(&svd)));
  RG_TRY_DONE(rg_alloc((size_t)(t.m * t.n) * sizeof *a, RG_OUT(&a)));
  for (int64_t i = 0; i < t.m * t.n; i++) {
    a[i] = rg_tensor_get_double(matrix, i);
    t.total += a[i] * a[i];
  }
  RG_TRY_DONE(decompose(a, options, &t, &svd->exact));
  RG_TRY_DONE(keep(&t, enough(&t, options), svd));
  *out = svd;
  svd = NULL;
done:
  rg_linalg_set_threads(before);
  terms_free(&t);
  rg_free(a);
  rango_svd_free(svd);
  return status;
}

rango_status rango_svd_save(const rango_svd *svd, const char *path) {
  RG_FAIL_IF(!svd || !path, RANGO_ERROR_ARGUMENT, "SVD: NULL argument");
  return rg_npz_save(path, (const char *[]){"u", "s", "vt"}, (const rango_tensor *[]){svd->u, svd->s, svd->vt}, 3);
}
