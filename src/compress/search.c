/* The operating point: the smallest price whose network keeps within the budget on rows that the fit didn't see. */
#include <math.h>
#include <string.h>

#include "compress/method.h"
#include "compress/refine.h"

/* What a network loses doesn't grow evenly with what is removed. Where a try is quick: first the cheapest price of a
 * scale that keeps the budget, from below, then bisection up to the next one that didn't. Otherwise a secant search. */
#define QUICK_MACS   5e11 /* of the original on the rows that a try runs on */
#define SCALE        1.2  /* between prices of the scale */
#define SCALE_LEAST  0.04 /* of the dense price: the scale's first */
#define SCALE_PROBES 5    /* bisections between two of the scale */
#define PROBES       5    /* networks that a secant search looks at, */
#define PROBES_MORE  8    /* or so many where that doesn't take long */
#define MORE_MACS    1e12 /* of the original on the rows that a try runs on */
#define ENOUGH       0.97 /* a network that uses this share is not far from the best */
#define REFINED      3    /* smaller networks that are trained, once the best one without training is known, */
#define REFINED_LOW  0.8  /* down to this share of its price */

void rg_trial_free(rg_job *job, rg_trial *trial) {
  rango_model_free(trial->model);
  for (size_t i = 0; trial->factors && i < job->sites.count; i++) rg_factors_free(&trial->factors[i]);
  rg_free(trial->factors);
  rg_free(trial->choices);
  rg_scores_free(&trial->scores);
  *trial = (rg_trial){0};
}

double rg_dense_price(const rg_job *job) {
  double sum = 0;
  for (size_t i = 0; i < job->sites.count; i++) sum += job->tables[i].items[0].price;
  return sum;
}

double rg_cheapest_price(const rg_job *job) {
  double sum = 0;
  for (size_t i = 0; i < job->sites.count; i++) {
    double least = INFINITY;
    for (size_t j = 0; j < job->tables[i].count; j++)
      if (job->tables[i].items[j].price < least) least = job->tables[i].items[j].price;
    sum += least;
  }
  return sum;
}

/* Allocates ranks for a price, fits and scores. *fits false: no choice is that cheap. */
static rango_status try_price(rg_job *job, double limit, rg_trial *trial, bool *fits) {
  size_t count = job->sites.count, *choices = NULL;
  rango_status status;
  *trial = (rg_trial){0};
  RG_TRY_DONE(rg_alloc(count * sizeof *choices, RG_OUT(&choices)));
  *fits = rg_method_allocate(job, limit, choices);
  if (!*fits) goto done;
  RG_TRY_DONE(rg_calloc(count, sizeof *trial->choices, RG_OUT(&trial->choices)));
  RG_TRY_DONE(rg_calloc(count, sizeof *trial->factors, RG_OUT(&trial->factors)));
  for (size_t i = 0; i < count; i++) {
    trial->choices[i] = job->tables[i].items[choices[i]];
    trial->price += trial->choices[i].price;
  }
  RG_TRY_DONE(rg_method_fit(job, trial->choices, trial->factors));
  RG_TRY_DONE(rg_rewrite_model(job->model, &job->sites, trial->factors, &trial->model));
  for (size_t i = 0; i < count; i++) rg_factors_forget(&trial->factors[i]); /* the model has them */
  rg_memory_trim();
  RG_TRY_DONE(rg_score(trial->model, &job->scoring, &trial->scores));
  RG_TRY_DONE(rg_curve_add(job, trial->choices, &trial->scores));
done:
  rg_free(choices);
  if (status != RANGO_OK) rg_trial_free(job, trial);
  return status;
}

/* What the budget limits, so that smaller is better: the drop, the ratio, the disagreement, the error. */
static double budget_use(const rg_job *job, const rg_trial *trial) {
  const rango_compress_options *options = job->options;
  const rg_scores *before = job->scoring.labels ? &job->before : NULL;
  if (options->confidence) return rg_scores_bound(before, &trial->scores, options->seed);
  double after = rg_scores_value(&trial->scores);
  switch (options->budget) {
  case RANGO_BUDGET_MAX_DROP:
    return rg_scores_value(&job->before) - after;
  case RANGO_BUDGET_MAX_ERROR_RATIO: {
    double first = rg_scores_value(&job->before);
    return first > 0 ? after / first : after > 0 ? INFINITY : 1;
  }
  case RANGO_BUDGET_MIN_AGREEMENT:
    return 100 - after;
  default:
    return after;
  }
}

static double budget_limit(const rango_compress_options *options) {
  return options->budget == RANGO_BUDGET_MIN_AGREEMENT ? 100 - options->budget_value : options->budget_value;
}

static rango_status nothing_within(const rg_job *job, double closest) {
  static const char *const what[] = {"drop in points", "ratio of errors", "disagreement in percent", "output error"};
  const rango_compress_options *options = job->options;
  RG_FAIL(RANGO_ERROR_BUDGET,
          "nothing smaller is within the budget: the mildest compression tried has a %s%s of %.4g, the limit is %.4g; "
          "allow more, "
          "or give more calibration and validation rows",
          what[options->budget], options->confidence ? " (95 % bound)" : "", closest, budget_limit(options));
}

/* The used share of what a network may lose. */
static double budget_share(const rg_job *job, double use) {
  double allowed = budget_limit(job->options);
  double none = job->options->budget == RANGO_BUDGET_MAX_ERROR_RATIO ? 1 : 0; /* what the original uses */
  return allowed > none ? (use - none) / (allowed - none) : use > allowed ? INFINITY : 0;
}

static bool is_cut(const rango_compress_options *options) {
  return options->budget == RANGO_BUDGET_CUT_PARAMS || options->budget == RANGO_BUDGET_CUT_MACS;
}

/* Whether a trained network, whose outputs are closer, replaces the untrained one: within the budget, or no farther
 * from it. Without one its errors may be no larger, and its wrong answers not more by what can't be chance. */
static bool is_taken(const rg_job *job, const rg_trial *before, const rg_trial *after) {
  const rango_compress_options *options = job->options;
  if (is_cut(options) && before->scores.metric == RANGO_METRIC_TOP1)
    return rg_scores_bound(&after->scores, &before->scores, options->seed) >= 0;
  double use = budget_use(job, after);
  return use <= budget_use(job, before) || (!is_cut(options) && use <= budget_limit(options));
}

/* Trains a network; the curve shows it beside the untrained one. */
static rango_status refine(rg_job *job, rg_trial *trial) {
  rg_trial refined = *trial;
  RG_TRY(rg_refine(job, trial->model, &refined.model));
  if (!refined.model) return RANGO_OK;
  rango_status status = rg_score(refined.model, &job->scoring, &refined.scores);
  bool taken = status == RANGO_OK && is_taken(job, trial, &refined);
  rg_trial *left = taken ? trial : &refined;
  rango_model_free(left->model);
  rg_scores_free(&left->scores);
  if (!taken) return status;
  *trial = refined;
  return rg_curve_add(job, trial->choices, &trial->scores);
}

/* Tries a price; *kept when its network, `refined` or not, keeps the budget and becomes the best. */
static rango_status probe(rg_job *job, double limit, bool refined, rg_bracket *b, rg_trial *best, bool *kept) {
  rg_trial trial;
  bool fits;
  RG_TRY(try_price(job, limit, &trial, &fits));
  rango_status status = fits && refined ? refine(job, &trial) : RANGO_OK;
  if (status != RANGO_OK) {
    rg_trial_free(job, &trial);
    return status;
  }
  double use = fits ? budget_use(job, &trial) : INFINITY, share = budget_share(job, use);
  b->closest = fmin(b->closest, use);
  *kept = use <= budget_limit(job->options) + 1e-9 && trial.price < rg_dense_price(job);
  rg_bracket_add(b, *kept ? fmin(trial.price, limit) : limit, share, *kept);
  rg_trial_free(job, *kept ? best : &trial);
  if (*kept) *best = trial;
  return RANGO_OK;
}

static rango_status bisect(rg_job *job, int probes, bool refined, rg_bracket *b, rg_trial *best) {
  double first = job->low, part = (job->high - job->low) / probes;
  for (int i = 0; i < probes && b->high - b->low > 1e-4 * b->dense; i++) {
    bool kept;
    rg_job_stage(job, first + part * i, first + part * (i + 1));
    RG_TRY(probe(job, 0.5 * (b->low + b->high), refined, b, best, &kept));
  }
  return RANGO_OK;
}

static rango_status close_in(rg_job *job, int probes, rg_bracket *b, rg_trial *best) {
  double first = job->low, part = (job->high - job->low) / probes;
  for (int i = 0; i < probes && b->high - b->low > 1e-4 * b->dense && b->high_share < ENOUGH; i++) {
    bool kept;
    rg_job_stage(job, first + part * i, first + part * (i + 1));
    RG_TRY(probe(job, rg_bracket_next(b), false, b, best, &kept));
  }
  return RANGO_OK;
}

static rango_status climb(rg_job *job, rg_bracket *b, rg_trial *best) {
  double dense = rg_dense_price(job), price = fmax(SCALE_LEAST * dense, b->low * sqrt(SCALE)), first = job->low;
  double steps = price < dense ? log(dense / price) / log(SCALE) + 1 : 1, part = (job->high - job->low) / steps;
  bool kept = false;
  for (int i = 0; price < dense && !kept; i++, price *= SCALE) {
    rg_job_stage(job, first + part * i, first + part * (i + 1));
    RG_TRY(probe(job, price, false, b, best, &kept));
  }
  return RANGO_OK;
}

static double macs_of_try(const rg_job *job) {
  return (double)job->canonical_macs * (double)(job->calibration.data->rows + job->val->rows);
}

static rango_status search_metric(rg_job *job, rg_trial *best) {
  double low = job->low, high = job->high, middle = 0.5 * (low + high);
  double cheapest = rg_cheapest_price(job), dense = rg_dense_price(job);
  rg_bracket b = {cheapest, dense, .low = cheapest, .high = dense, .low_share = INFINITY, .closest = INFINITY};
  rango_status status = RANGO_OK;
  if (macs_of_try(job) <= QUICK_MACS) {
    rg_job_stage(job, low, middle);
    RG_TRY_DONE(climb(job, &b, best));
    rg_job_stage(job, middle, high);
    RG_TRY_DONE(bisect(job, SCALE_PROBES, false, &b, best));
  } else {
    RG_TRY_DONE(close_in(job, macs_of_try(job) <= MORE_MACS ? PROBES_MORE : PROBES, &b, best));
  }
  if (!best->model) status = nothing_within(job, b.closest);
done:
  if (status != RANGO_OK) rg_trial_free(job, best);
  return status;
}

/* What training wins is spent: the best network trained, then smaller ones that keep the budget trained only. How much
 * of the budget the best one uses says little here: it was the luckiest of those tried. */
static rango_status search_refined(rg_job *job, rg_trial *best) {
  double low = job->low, part = (job->high - job->low) / (REFINED + 1), cheapest = rg_cheapest_price(job);
  rg_job_stage(job, low, low + part);
  RG_TRY(refine(job, best));
  rg_bracket b = {cheapest, rg_dense_price(job), .low = fmax(cheapest, REFINED_LOW * best->price), .high = best->price};
  rg_job_stage(job, low + part, low + part * (REFINED + 1));
  return bisect(job, REFINED, true, &b, best);
}

static rango_status search_cut(rg_job *job, rg_trial *best) {
  const rango_compress_options *options = job->options;
  bool params = options->budget == RANGO_BUDGET_CUT_PARAMS, fits;
  double whole = (double)(params ? job->params : job->macs),
         now = (double)(params ? job->canonical_params : job->canonical_macs);
  RG_FAIL_IF(!(whole > 0), RANGO_ERROR_BUDGET, "the model's %s aren't known", params ? "parameters" : "MACs");
  double others = now / whole - rg_dense_price(job), limit = 1 - options->budget_value / 100 - others;
  RG_TRY(try_price(job, limit, best, &fits));
  RG_FAIL_IF(!fits, RANGO_ERROR_BUDGET, "%.4g %% of the %s can't be removed: at most %.4g %% by low rank",
             options->budget_value, params ? "parameters" : "MACs", 100 * (1 - others - rg_cheapest_price(job)));
  return RANGO_OK;
}

rango_status rg_search(rg_job *job, rg_trial *best) {
  const rango_compress_options *options = job->options;
  bool cut = is_cut(options);
  double low = job->low, high = job->high, middle = options->refine ? 0.5 * (low + high) : high;
  *best = (rg_trial){0};
  rg_job_stage(job, low, middle);
  RG_TRY(cut ? search_cut(job, best) : search_metric(job, best));
  if (!options->refine) return RANGO_OK;
  rg_job_stage(job, middle, high);
  rango_status status =
      rg_augmentation_choose(job->model, job->calibration.data, &job->session, options->seed, &job->augmentation);
  if (status == RANGO_OK) status = cut ? refine(job, best) : search_refined(job, best);
  if (status != RANGO_OK) rg_trial_free(job, best);
  return status;
}
