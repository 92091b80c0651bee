/* The methods as choices, and the parts that they don't share with the default: ranks by one rule for all layers, and
 * factors in closed form. */
#include "compress/method.h"

#include <math.h>
#include <string.h>

#define ROUNDS 60 /* bisections of a layer rule's one number */

const rg_method *rg_method_of(rango_method method) {
  static const rg_method methods[] = {
      [RANGO_METHOD_FISHER] = {.fisher = true, .sequential = true, .ranks = RG_RANKS_DAMAGE},
      [RANGO_METHOD_SVD] = {.weights_alone = true, .ranks = RG_RANKS_DAMAGE},
      [RANGO_METHOD_PCA] = {.ranks = RG_RANKS_DAMAGE},
      [RANGO_METHOD_SEQUENTIAL] = {.sequential = true, .ranks = RG_RANKS_DAMAGE},
      [RANGO_METHOD_ENERGY] = {.ranks = RG_RANKS_SHARE},
      [RANGO_METHOD_VBMF] = {.weights_alone = true, .ranks = RG_RANKS_NOISE},
      [RANGO_METHOD_WHITNEY] = {.whitney = true, .ranks = RG_RANKS_DAMAGE},
  };
  return &methods[method];
}

/* ---- basis ---- */

rango_status rg_basis_weights(const rg_site *site, rg_basis *basis) {
  int64_t m = site->inputs, n = site->outputs, k = n < m ? n : m;
  double *w = NULL, *u = NULL, *s = NULL, *vt = NULL;
  rango_status status;
  *basis = (rg_basis){.taps = 1, .inner = m, .max_rank = k};
  if (site->groups > 1) {
    status = rg_basis_grouped(site, NULL, basis);
    goto done;
  }
  RG_TRY_DONE(rg_alloc((size_t)(n * m) * sizeof *w, RG_OUT(&w)));
  RG_TRY_DONE(rg_alloc((size_t)(n * k) * sizeof *u, RG_OUT(&u)));
  RG_TRY_DONE(rg_alloc((size_t)k * sizeof *s, RG_OUT(&s)));
  RG_TRY_DONE(rg_alloc((size_t)(k * m) * sizeof *vt, RG_OUT(&vt)));
  RG_TRY_DONE(rg_alloc((size_t)(k * m) * sizeof(float), RG_OUT(&basis->first)));
  RG_TRY_DONE(rg_alloc((size_t)(k * n) * sizeof(float), RG_OUT(&basis->second)));
  RG_TRY_DONE(rg_alloc((size_t)(k + 1) * sizeof(double), RG_OUT(&basis->tail)));
  for (int64_t i = 0; i < n * m; i++) w[i] = site->matrix[i];
  RG_TRY_DONE(rg_svd_thin(w, n, m, u, s, vt));
  basis->tail[k] = 0;
  for (int64_t i = k - 1; i >= 0; i--) {
    basis->tail[i] = basis->tail[i + 1] + s[i] * s[i];
    double root = sqrt(s[i]);
    for (int64_t j = 0; j < m; j++) basis->first[i * m + j] = (float)(root * vt[i * m + j]);
    for (int64_t j = 0; j < n; j++) basis->second[i * n + j] = (float)(root * u[j * k + i]);
  }
done:
  rg_free(w);
  rg_free(u);
  rg_free(s);
  rg_free(vt);
  if (status == RANGO_OK) return status;
  rg_basis_free(basis);
  return rg_fail_context(status, "node '%s' (%s)", site->name, site->op);
}

/* ---- ranks by one rule for all layers ---- */

/* The smallest rank that leaves at most 1 - share of the whole. */
static int64_t rank_of_share(const rg_basis *basis, double share) {
  int64_t rank = 1;
  while (rank < basis->max_rank && basis->tail[rank] > (1 - share) * basis->tail[0]) rank++;
  return rank;
}

rango_status rg_method_ranks(rg_job *job) {
  RG_TRY(rg_calloc(job->sites.count, sizeof *job->ranks, RG_OUT(&job->ranks)));
  for (size_t i = 0; i < job->sites.count; i++) {
    const rg_site *site = &job->sites.items[i];
    const rg_basis *basis = &job->bases[i][RG_FORM_PAIR];
    int64_t m = site->inputs / site->groups, n = site->outputs / site->groups;
    double *squares = NULL;
    RG_TRY(rg_alloc((size_t)basis->max_rank * sizeof *squares, RG_OUT(&squares)));
    for (int64_t r = 0; r < basis->max_rank; r++)
      squares[r] = (basis->tail[r] - basis->tail[r + 1]) / (double)site->groups;
    int64_t rank = rg_vbmf_rank(squares, basis->max_rank, n < m ? n : m, n < m ? m : n);
    rg_free(squares);
    job->ranks[i] = rank > 1 ? rank : 1;
  }
  return RANGO_OK;
}

/* The pair of the smallest rank that reaches `rank`; dense where none pays. */
static size_t candidate_of_rank(const rg_candidates *table, int64_t rank) {
  size_t best = 0;
  for (size_t i = 1; i < table->count; i++) {
    const rg_candidate *c = &table->items[i];
    if (c->form == RG_FORM_PAIR && c->rank >= rank && (best == 0 || c->rank < table->items[best].rank)) best = i;
  }
  return best;
}

/* `strength` 0: rank 1 everywhere; 1: all of the variance, or every layer's full rank. */
static double choose_all(const rg_job *job, double strength, size_t *choices) {
  double price = 0;
  for (size_t i = 0; i < job->sites.count; i++) {
    const rg_basis *basis = &job->bases[i][RG_FORM_PAIR];
    int64_t rank = 1;
    if (basis->max_rank == 0) /* no basis: the layer stays */
      rank = INT64_MAX;
    else if (job->method->ranks == RG_RANKS_SHARE)
      rank = rank_of_share(basis, strength);
    else if (strength < 1) /* strength / (1 - strength) times the rank above noise, so that 1/2 is that rank itself */
      rank = (int64_t)ceil(fmin((double)job->ranks[i] * strength / (1 - strength), (double)basis->max_rank));
    else
      rank = basis->max_rank;
    choices[i] = candidate_of_rank(&job->tables[i], rank);
    price += job->tables[i].items[choices[i]].price;
  }
  return price;
}

bool rg_method_allocate(const rg_job *job, double limit, size_t *choices) {
  if (job->method->ranks == RG_RANKS_DAMAGE) return rg_allocate(job->tables, job->sites.count, limit, choices);
  double low = 0, high = 1;
  if (choose_all(job, high, choices) <= limit) return true;
  for (int round = 0; round < ROUNDS; round++) {
    double middle = 0.5 * (low + high);
    if (choose_all(job, middle, choices) <= limit)
      low = middle;
    else
      high = middle;
  }
  return choose_all(job, low, choices) <= limit;
}

/* ---- factors in closed form ---- */

/* The basis's leading rows. The bias takes up what the rows left out do to the mean (for the weights alone: nothing is
 * known of it). */
static rango_status close_factors(const rg_job *job, size_t i, const rg_candidate *choice, rg_factors *out) {
  const rg_site *site = &job->sites.items[i];
  const rg_basis *basis = &job->bases[i][RG_FORM_PAIR];
  const rg_statistics *statistics = &job->statistics[i];
  int64_t m = site->inputs, n = site->outputs, rank = choice->rank * site->groups;
  double *z = NULL; /* mean of what the first factor makes of the original network's inputs */
  *out = (rg_factors){.form = choice->form, .rank = choice->rank};
  if (choice->form == RG_FORM_DENSE) return RANGO_OK;
  if (choice->form == RG_FORM_WHITNEY) return rg_whitney_factors(job, i, out);
  if (site->kind == RG_SITE_EMBEDDING && !job->method->weights_alone)
    return rg_embedding_fit(site, statistics, basis, rank, out);
  RG_TRY(rg_alloc((size_t)(rank * m) * sizeof(float), RG_OUT(&out->first)));
  RG_TRY(rg_alloc((size_t)(n * rank) * sizeof(float), RG_OUT(&out->second)));
  RG_TRY(rg_alloc((size_t)n * sizeof(float), RG_OUT(&out->offset)));
  RG_TRY(rg_calloc((size_t)rank, sizeof *z, RG_OUT(&z)));
  memcpy(out->first, basis->first, (size_t)(rank * m) * sizeof(float));
  for (int64_t r = 0; r < rank && !job->method->weights_alone; r++)
    for (int64_t l = 0; l < m; l++) z[r] += (double)basis->first[r * m + l] * statistics->input_mean[l];
  for (int64_t j = 0; j < n; j++) {
    double offset = job->method->weights_alone ? site->offset[j] : statistics->output_mean[j];
    for (int64_t r = 0; r < rank; r++) {
      out->second[j * rank + r] = basis->second[r * n + j];
      offset -= (double)basis->second[r * n + j] * z[r];
    }
    out->offset[j] = (float)offset;
  }
  rg_free(z);
  out->error = basis->tail[0] > 0 ? sqrt(basis->tail[choice->rank] / basis->tail[0]) : 0;
  return RANGO_OK;
}

rango_status rg_method_fit(const rg_job *job, const rg_candidate *choices, rg_factors *factors) {
  size_t count = job->sites.count;
  if (job->method->sequential)
    return rg_fit_all(job->model, &job->sites, &job->calibration, job->statistics,
                      (const rg_basis(*)[RG_FORM_COUNT])job->bases, choices, factors);
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < count && status == RANGO_OK; i++) status = close_factors(job, i, &choices[i], &factors[i]);
  if (status != RANGO_OK)
    for (size_t i = 0; i < count; i++) rg_factors_free(&factors[i]);
  return status;
}
