/*
 * Layers whose outputs are cut in parts, such as queries, keys and values made by one product. As a pair, all parts
 * share the first factor; as `split`, each part has a pair of its own:
 *
 *   pair   W = B A           A [r][inputs], B [outputs][r]
 *   split  W_p = B_p A_p     the A_p below each other are one first factor [r][inputs], r the sum of their ranks
 *
 * At one price split has the larger r, but directions that several parts read are kept by each of them. Both are
 * candidates, and the allocation chooses. Directions of all parts are taken in the order of their own error, so that
 * one basis serves every r, and each part gets the rank that its spectrum asks for (one at least). What errors of
 * different parts do together counts: with u the outputs' coordinates along the directions, d the directions' duals, C
 * the outputs' covariance and G the metric, the error of leaving out a set is the sum over pairs (a, b) in it of
 * E[u_a u_b] d_a' G d_b.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/compress.h"

/* ---- finding ---- */

static int64_t slices_of(const rg_value *value) {
  int64_t count = 0;
  for (size_t i = 0; i < value->uses.count; i++) {
    if (!rg_node_is(value->uses.items[i].node, "Slice")) return 1;
    count++;
  }
  return count;
}

/* [..., parts, a, b]: as many as the size from whose axis on the numbers are one row of the layer's outputs. */
static int64_t reshaped(const rg_node *node, int64_t outputs) {
  const rg_value *wanted = node->input_count > 1 ? node->inputs[1] : NULL; /* an attribute before opset 5 */
  const rango_tensor *shape = wanted ? rg_value_constant(wanted) : NULL;
  if (!shape || shape->type != RANGO_INT64) return 1;
  const int64_t *dims = shape->data;
  int64_t behind = 1;
  for (int64_t i = rango_tensor_count(shape) - 1; i >= 0 && dims[i] > 0 && behind <= outputs / dims[i]; i--) {
    behind *= dims[i];
    if (behind == outputs) return dims[i];
  }
  return 1;
}

int64_t rg_parts_of(const rg_value *output, int64_t outputs) {
  const rg_node *node = output->uses.count ? output->uses.items[0].node : NULL;
  int64_t parts = 1;
  if (!node || output->output_uses) return 1;
  if (output->uses.count > 1)
    parts = slices_of(output);
  else if (rg_node_is(node, "Split"))
    parts = node->output_count;
  else if (rg_node_is(node, "Reshape"))
    parts = reshaped(node, outputs);
  return parts <= RG_PARTS_MAX && outputs % parts == 0 && outputs / parts >= 2 ? parts : 1;
}

/* ---- basis ---- */

typedef struct directions {
  const rg_site *site;
  int64_t n, each;  /* outputs, of one part */
  double *c;        /* [n][n]: covariance of the outputs */
  double *g;        /* [n][n]: the metric */
  double *maps;     /* [n][n]: row a gives the coordinate u_a; zero outside of its part */
  double *duals;    /* [n][n]: row a is d_a */
  double *together; /* [n][n]: what leaving out a and b does together */
  int64_t *order;   /* [n] */
} directions;

static void directions_free(directions *d) {
  rg_free(d->c);
  rg_free(d->g);
  rg_free(d->maps);
  rg_free(d->duals);
  rg_free(d->together);
  rg_free(d->order);
}

static rango_status directions_create(const rg_site *site, const rg_statistics *statistics, directions *d) {
  const size_t n = (size_t)site->outputs;
  *d = (directions){.site = site, .n = site->outputs, .each = site->outputs / site->parts};
  RG_TRY(rg_alloc(n * n * sizeof(double), RG_OUT(&d->c)));
  RG_TRY(rg_calloc(n * n, sizeof(double), RG_OUT(&d->g)));
  RG_TRY(rg_calloc(n * n, sizeof(double), RG_OUT(&d->maps)));
  RG_TRY(rg_calloc(n * n, sizeof(double), RG_OUT(&d->duals)));
  RG_TRY(rg_alloc(n * n * sizeof(double), RG_OUT(&d->together)));
  RG_TRY(rg_alloc(n * sizeof(int64_t), RG_OUT(&d->order)));
  if (statistics->metric)
    rg_matmul(false, true, d->n, d->n, d->n, 1.0, statistics->metric, statistics->metric, 0.0, d->g);
  for (size_t i = 0; i < n && !statistics->metric; i++) d->g[i * n + i] = 1;
  return rg_output_covariance(site, statistics, d->c);
}

static void take_block(const directions *d, const double *matrix, int64_t part, double *block) {
  for (int64_t i = 0; i < d->each; i++)
    memcpy(block + i * d->each, matrix + (part * d->each + i) * d->n + part * d->each, (size_t)d->each * sizeof *block);
}

/* A part's eigenvectors v of L' C L, with L L' its own block of the metric: coordinates v' L', duals L'^-1 v. */
static rango_status add_part(directions *d, int64_t part) {
  const int64_t k = d->each, from = part * k;
  double *v = NULL, *l = NULL, *values = NULL, *turned = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof *v, RG_OUT(&v)));
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof *l, RG_OUT(&l)));
  RG_TRY_DONE(rg_alloc((size_t)(k * k) * sizeof *turned, RG_OUT(&turned)));
  RG_TRY_DONE(rg_alloc((size_t)k * sizeof *values, RG_OUT(&values)));
  take_block(d, d->c, part, v);
  take_block(d, d->g, part, l);
  RG_TRY_DONE(rg_cholesky(l, k));
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = i + 1; j < k; j++) l[i * k + j] = 0;
  rg_metric_apply(l, k, k, v);
  rg_metric_apply_right(l, k, k, v);
  RG_TRY_DONE(rg_eigen_symmetric(v, k, values));
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < k; j++) turned[j * k + i] = v[i * k + j];
  rg_matmul(false, true, k, k, k, 1.0, v, l, 0.0, d->together);
  rg_metric_undo(l, k, k, turned);
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < k; j++) {
      d->maps[(from + i) * d->n + from + j] = d->together[i * k + j];
      d->duals[(from + i) * d->n + from + j] = turned[j * k + i];
    }
done:
  rg_free(v);
  rg_free(l);
  rg_free(turned);
  rg_free(values);
  return status;
}

/* together = (maps C maps') by elements times (duals G duals'). */
static rango_status combine(directions *d) {
  const int64_t n = d->n;
  double *half = NULL, *products = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *half, RG_OUT(&half)));
  RG_TRY_DONE(rg_alloc((size_t)(n * n) * sizeof *products, RG_OUT(&products)));
  rg_matmul(false, false, n, n, n, 1.0, d->maps, d->c, 0.0, half);
  rg_matmul(false, true, n, n, n, 1.0, half, d->maps, 0.0, d->together);
  rg_matmul(false, false, n, n, n, 1.0, d->duals, d->g, 0.0, half);
  rg_matmul(false, true, n, n, n, 1.0, half, d->duals, 0.0, products);
  for (int64_t i = 0; i < n * n; i++) d->together[i] *= products[i];
done:
  rg_free(half);
  rg_free(products);
  return status;
}

typedef struct ranked {
  double error;
  int64_t direction;
} ranked;

static int compare_ranked(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->error != y->error) return x->error < y->error ? 1 : -1;
  return (x->direction > y->direction) - (x->direction < y->direction);
}

/* Each part's first direction, then the others by their own error. Returns how many there are: a part has no more than
 * the layer has inputs. */
static rango_status sort_directions(directions *d, int64_t *count) {
  const int64_t n = d->n, parts = d->site->parts, most = d->each < d->site->inputs ? d->each : d->site->inputs;
  ranked *list = NULL;
  RG_TRY(rg_alloc((size_t)n * sizeof *list, RG_OUT(&list)));
  *count = 0;
  for (int64_t a = 0; a < n; a++) {
    int64_t within = a % d->each; /* eigenvalues descend */
    double error = within == 0 ? INFINITY : d->together[a * n + a];
    if (within < most) list[(*count)++] = (ranked){error, a};
  }
  qsort(list, (size_t)*count, sizeof *list, compare_ranked);
  for (int64_t i = 0; i < *count; i++) d->order[i] = list[i].direction;
  rg_free(list);
  return *count >= parts ? RANGO_OK : rg_fail(RANGO_ERROR_INTERNAL, "split: fewer directions than parts");
}

/* The error of what isn't among the first `rank`, for every rank. */
static rango_status fill_tail(const directions *d, rg_basis *basis) {
  RG_TRY(rg_alloc((size_t)(basis->max_rank + 1) * sizeof(double), RG_OUT(&basis->tail)));
  double sum = 0;
  basis->tail[basis->max_rank] = 0;
  for (int64_t i = basis->max_rank - 1; i >= 0; i--) {
    const double *row = d->together + d->order[i] * d->n;
    sum += row[d->order[i]];
    for (int64_t j = i + 1; j < basis->max_rank; j++) sum += 2 * row[d->order[j]];
    basis->tail[i] = fmax(sum, 0);
  }
  return RANGO_OK;
}

/* first = maps W, second = duals, in order. */
static rango_status fill_factors(const directions *d, rg_basis *basis) {
  const int64_t m = d->site->inputs, n = d->n, rank = basis->max_rank;
  float *maps = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(rank * n) * sizeof *maps, RG_OUT(&maps)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * n) * sizeof(float), RG_OUT(&basis->second)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * m) * sizeof(float), RG_OUT(&basis->first)));
  RG_TRY_DONE(rg_alloc((size_t)rank * sizeof *basis->parts, RG_OUT(&basis->parts)));
  for (int64_t i = 0; i < rank; i++) {
    basis->parts[i] = (int)(d->order[i] / d->each);
    for (int64_t j = 0; j < n; j++) {
      maps[i * n + j] = (float)d->maps[d->order[i] * n + j];
      basis->second[i * n + j] = (float)d->duals[d->order[i] * n + j];
    }
  }
  rg_matmul_float(false, false, rank, m, n, maps, d->site->matrix, basis->first);
done:
  rg_free(maps);
  return status;
}

rango_status rg_basis_split(const rg_site *site, const rg_statistics *statistics, rg_basis *basis) {
  *basis = (rg_basis){.taps = 1, .inner = site->inputs};
  if (site->parts < 2) return RANGO_OK;
  directions d;
  rango_status status;
  RG_TRY_DONE(directions_create(site, statistics, &d));
  for (int64_t part = 0; part < site->parts; part++) RG_TRY_DONE(add_part(&d, part));
  RG_TRY_DONE(combine(&d));
  RG_TRY_DONE(sort_directions(&d, &basis->max_rank));
  RG_TRY_DONE(fill_tail(&d, basis));
  RG_TRY_DONE(fill_factors(&d, basis));
done:
  directions_free(&d);
  if (status == RANGO_OK) return status;
  rg_basis_free(basis);
  return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
}

/* ---- the fit ---- */

/* Columns [from, from + count) of [rows][columns]. */
static void copy_columns(const double *from, int64_t rows, int64_t columns, int64_t begin, int64_t count, double *to) {
  for (int64_t i = 0; i < rows; i++) memcpy(to + i * count, from + i * columns + begin, (size_t)count * sizeof *to);
}

/* The factor of a part's own block of the metric L L'. */
static rango_status part_metric(const double *metric, int64_t n, int64_t begin, int64_t count, double **out) {
  *out = NULL;
  if (!metric) return RANGO_OK;
  const double *rows = metric + begin * n;
  RG_TRY(rg_alloc((size_t)(count * count) * sizeof **out, RG_OUT(out)));
  rg_matmul(false, true, count, count, n, 1.0, rows, rows, 0.0, *out);
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = i + 1; j < count; j++) (*out)[i * count + j] = 0;
  return rg_cholesky(*out, count);
}

/* A part's solution as two factors, directions [at, at + rank) of all. */
static rango_status reduce_part(rg_regression *r, const double *metric, int64_t part, int64_t each, int64_t at,
                                int64_t rank, rg_factors *out) {
  const int64_t k = r->columns, begin = part * each;
  rg_regression one = {.columns = k, .outputs = each, .gram = r->gram};
  double *own = NULL, *a = NULL, *b = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc((size_t)(k * each) * sizeof *one.b, RG_OUT(&one.b)));
  RG_TRY_DONE(rg_alloc((size_t)(k * each) * sizeof *one.cross, RG_OUT(&one.cross)));
  RG_TRY_DONE(rg_alloc((size_t)(rank * k) * sizeof *a, RG_OUT(&a)));
  RG_TRY_DONE(rg_alloc((size_t)(each * rank) * sizeof *b, RG_OUT(&b)));
  copy_columns(r->b, k, r->outputs, begin, each, one.b);
  copy_columns(r->cross, k, r->outputs, begin, each, one.cross);
  RG_TRY_DONE(part_metric(metric, r->outputs, begin, each, &own));
  RG_TRY_DONE(rg_regression_reduce(&one, own, rank, a, b));
  for (int64_t i = 0; i < rank * k; i++) out->first[at * k + i] = (float)a[i];
  for (int64_t j = 0; j < each; j++)
    for (int64_t i = 0; i < rank; i++) out->second[(begin + j) * out->rank + at + i] = (float)b[j * rank + i];
  for (int64_t i = 0; i < k; i++) memcpy(r->b + i * r->outputs + begin, one.b + i * each, (size_t)each * sizeof *one.b);
done:
  rg_free(one.b);
  rg_free(one.cross);
  rg_free(own);
  rg_free(a);
  rg_free(b);
  return status;
}

rango_status rg_split_reduce(const rg_site *site, const rg_basis *basis, const double *metric, rg_regression *r,
                             rg_factors *out) {
  RG_TRY(rg_alloc((size_t)(out->rank * r->columns) * sizeof(float), RG_OUT(&out->first)));
  RG_TRY(rg_calloc((size_t)(out->rank * r->outputs), sizeof(float), RG_OUT(&out->second)));
  RG_TRY(rg_alloc((size_t)out->rank * sizeof *out->parts, RG_OUT(&out->parts)));
  for (int64_t part = 0, at = 0; part < site->parts; part++) {
    int64_t rank = 0;
    for (int64_t i = 0; i < out->rank; i++) rank += basis->parts[i] == part;
    for (int64_t i = 0; i < rank; i++) out->parts[at + i] = (int)part;
    RG_TRY(reduce_part(r, metric, part, site->outputs / site->parts, at, rank, out));
    at += rank;
  }
  return rg_regression_measure(r);
}
