/* The choices of every site: what each form and rank costs, and what it does to the output. */
#include <math.h>

#include "compress/method.h"

static double milliseconds(const rg_job *job, rg_cost_query query) {
  return job->costs ? rg_costs_milliseconds(job->costs, &query) : 0;
}

/* The coordinates and the way back: three products with biases. */
static rg_cost whitney_cost(const rg_job *job, const rg_site *site, int64_t rank, int64_t hidden) {
  double p = (double)rank, h = (double)hidden, n = (double)site->outputs;
  double weights = p * (double)site->inputs + h * p + n * h;
  int64_t sizes[4] = {site->inputs, rank, hidden, site->outputs};
  rg_cost cost = {.params = weights + p + h + n, .macs = weights * (double)site->positions};
  for (int i = 0; i < 3; i++) {
    rg_cost_query query = {.kind = RG_COST_DENSE, .rows = site->positions, .in = sizes[i], .out = sizes[i + 1]};
    cost.milliseconds += milliseconds(job, query);
  }
  return cost;
}

/* A product for all parts and one for each, of equal ranks: how the sum is dealt out hardly changes the time. Codes and
 * outputs are copied once more each, by a Split and a Concat. */
static rg_cost split_cost(const rg_job *job, const rg_site *site, double rank) {
  double m = (double)site->inputs, n = (double)site->outputs, parts = (double)site->parts;
  double weights = rank * (m + n / parts);
  rg_cost_query query = {.kind = RG_COST_DENSE, .rows = site->positions, .in = site->inputs, .out = (int64_t)rank};
  rg_cost cost = {weights + n, weights * (double)site->positions, milliseconds(job, query)};
  query.in = (int64_t)ceil(rank / parts);
  query.out = site->outputs / site->parts;
  cost.milliseconds += parts * milliseconds(job, query);
  query.in = query.out = 1;
  cost.milliseconds += 2 * milliseconds(job, query);
  return cost;
}

/* Parameters with the bias that a factored layer has; multiplications for one row of data. */
static rg_cost dense_layer_cost(const rg_job *job, const rg_site *site, rg_form form, double rank) {
  double m = (double)site->inputs, n = (double)site->outputs, positions = (double)site->positions;
  rg_cost_query query = {.kind = RG_COST_DENSE, .rows = site->positions, .in = site->inputs, .out = site->outputs};
  if (form == RG_FORM_DENSE)
    return (rg_cost){m * n + (site->bias ? n : 0), m * n * positions, milliseconds(job, query)};
  double bias = site->biased ? 0 : n; /* what recurrent ones have already isn't counted */
  if (form == RG_FORM_SPLIT) return split_cost(job, site, rank);
  query.out = (int64_t)rank;
  double first = milliseconds(job, query);
  query.in = (int64_t)rank;
  query.out = site->outputs;
  return (rg_cost){rank * (m + n) + bias, rank * (m + n) * positions, first + milliseconds(job, query)};
}

static rg_cost_query conv_query(const rg_site *site, int64_t in, int64_t out, int64_t kh, int64_t kw, int64_t h,
                                int64_t w) {
  bool plain = true;
  for (int axis = 0; axis < site->spatial; axis++)
    plain = plain && site->window.stride[axis] == 1 && site->window.dilation[axis] == 1;
  return (rg_cost_query){.kind = RG_COST_CONV,
                         .rows = 1,
                         .in = in,
                         .out = out,
                         .group = site->groups,
                         .kernel_h = kh,
                         .kernel_w = kw,
                         .height = h,
                         .width = w,
                         .plain = plain};
}

static rg_cost conv_cost(const rg_job *job, const rg_site *site, rg_form form, double r, double r2) {
  double m = (double)site->inputs, n = (double)site->outputs, positions = (double)site->positions;
  int64_t c = site->channels, kh = site->kernel_h, kw = site->kernel_w, h = site->output_h, w = site->output_w;
  int64_t outputs = site->outputs, rank = (int64_t)r, rank2 = (int64_t)r2, codes = rank * site->groups;
  double groups = (double)site->groups, channels = (double)c, area = (double)(kh * kw), width = (double)kw;
  double before = (double)(site->input_h * site->input_w); /* a first 1 x 1 works at the input's size */
  double between = (double)(h * site->input_w);            /* a first kh x 1 keeps the input's width */
  rg_cost_query first = conv_query(site, c, rank, 1, 1, site->input_h, site->input_w);
  switch (form) {
  case RG_FORM_PAIR:
    return (rg_cost){r * (m + n) + n, r * (m + n) * positions,
                     milliseconds(job, conv_query(site, c, codes, kh, kw, h, w)) +
                         milliseconds(job, conv_query(site, codes, outputs, 1, 1, h, w))};
  case RG_FORM_SPATIAL:
    return (rg_cost){r * (m / width + n * width) + n, r * (m / width * between + n * width * positions),
                     milliseconds(job, conv_query(site, c, rank, kh, 1, h, site->input_w)) +
                         milliseconds(job, conv_query(site, rank, outputs, 1, kw, h, w))};
  case RG_FORM_POINTWISE:
    return (rg_cost){r * (channels + n * area) + n, r * (channels * before + n * area * positions),
                     milliseconds(job, first) + milliseconds(job, conv_query(site, rank, outputs, kh, kw, h, w))};
  case RG_FORM_TUCKER:
    return (rg_cost){r * channels + r2 * (r * area + n) + n, r * channels * before + r2 * (r * area + n) * positions,
                     milliseconds(job, first) + milliseconds(job, conv_query(site, rank, rank2, kh, kw, h, w)) +
                         milliseconds(job, conv_query(site, rank2, outputs, 1, 1, h, w))};
  default:
    return (rg_cost){m * n / groups + (site->bias ? n : 0), m * n / groups * positions,
                     milliseconds(job, conv_query(site, c, outputs, kh, kw, h, w))};
  }
}

/* Reading a row costs nothing that counts. */
static rg_cost embedding_cost(const rg_job *job, const rg_site *site, rg_form form, double rank) {
  double m = (double)site->inputs, n = (double)site->outputs;
  if (form == RG_FORM_DENSE) return (rg_cost){.params = m * n};
  rg_cost_query query = {.kind = RG_COST_DENSE, .rows = site->positions, .in = (int64_t)rank, .out = site->outputs};
  return (rg_cost){rank * (m + n) + n, rank * n * (double)site->positions, milliseconds(job, query)};
}

rg_cost rg_site_cost(const rg_job *job, const rg_site *site, rg_form form, int64_t rank, int64_t rank2) {
  if (form == RG_FORM_WHITNEY) return whitney_cost(job, site, rank, rank2);
  if (site->kind == RG_SITE_EMBEDDING) return embedding_cost(job, site, form, (double)rank);
  return site->kind == RG_SITE_CONV ? conv_cost(job, site, form, (double)rank, (double)rank2)
                                    : dense_layer_cost(job, site, form, (double)rank);
}

/* In the unit of the budget or objective, as a share of the original model. */
static double price(const rg_job *job, rg_cost cost, double dense_milliseconds) {
  double params = cost.params / (double)(job->params ? job->params : 1);
  double macs = job->macs ? cost.macs / (double)job->macs : params;
  if (job->options->budget == RANGO_BUDGET_CUT_PARAMS) return params;
  if (job->options->budget == RANGO_BUDGET_CUT_MACS) return macs;
  switch (job->options->objective) {
  case RANGO_OBJECTIVE_PARAMS:
    return params;
  case RANGO_OBJECTIVE_MACS:
    return macs;
  case RANGO_OBJECTIVE_TIME:
    return cost.milliseconds / dense_milliseconds;
  default:
    return 0.5 * (params + macs);
  }
}

static rango_status add_candidate(rg_candidates *table, rg_candidate candidate) {
  RG_TRY(RG_RESERVE(table, 1));
  table->items[table->count++] = candidate;
  return RANGO_OK;
}

/* Adds a choice that costs less than the dense layer. */
static rango_status consider(const rg_job *job, size_t site, rg_candidate c, double error, double dense_milliseconds) {
  rg_candidates *table = &job->tables[site];
  const double *whole = job->bases[site][RG_FORM_PAIR].tail;
  c.cost = rg_site_cost(job, &job->sites.items[site], c.form, c.rank, c.rank2);
  c.price = price(job, c.cost, dense_milliseconds);
  double share = whole && whole[0] > 0 ? error / whole[0] : 0;
  c.damage = job->sensitivity      ? rg_sensitivity_damage(&job->sensitivity[site], share)
             : job->method->fisher ? error
                                   : share;
  return c.form == RG_FORM_DENSE || c.price < table->items[0].price ? add_candidate(table, c) : RANGO_OK;
}

/* The one alternative of the method whitney. */
static rango_status consider_code(const rg_job *job, size_t site, double dense_milliseconds) {
  const rg_factors *code = &job->codes[site];
  const double *whole = job->bases[site][RG_FORM_PAIR].tail;
  rg_candidate c = {.form = code->form, .rank = (int)code->rank, .rank2 = (int)code->rank2};
  if (code->form == RG_FORM_DENSE) return RANGO_OK;
  return consider(job, site, c, whole ? code->error * code->error * whole[0] : 0, dense_milliseconds);
}

static rango_status fill_table(const rg_job *job, size_t site, double dense_milliseconds) {
  const rg_basis *bases = job->bases[site];
  int64_t n = job->sites.items[site].outputs;
  RG_TRY(consider(job, site, (rg_candidate){.form = RG_FORM_DENSE}, 0, dense_milliseconds));
  if (job->codes) return consider_code(job, site, dense_milliseconds);
  for (int form = RG_FORM_PAIR; form <= RG_FORM_POINTWISE; form++)
    for (int64_t rank = 1; rank <= bases[form].max_rank; rank++) {
      rg_candidate c = {.form = (rg_form)form, .rank = (int)rank};
      if (rg_rank_is_useful(rank)) RG_TRY(consider(job, site, c, bases[form].tail[rank], dense_milliseconds));
    }
  const rg_basis *split = &bases[RG_FORM_SPLIT];
  for (int64_t rank = job->sites.items[site].parts; rank <= split->max_rank; rank++) {
    rg_candidate c = {.form = RG_FORM_SPLIT, .rank = (int)rank};
    if (rg_rank_is_useful(rank)) RG_TRY(consider(job, site, c, split->tail[rank], dense_milliseconds));
  }
  const rg_basis *tucker = &bases[RG_FORM_TUCKER];
  for (int64_t i = 0; i < tucker->grid_count; i++)
    for (int64_t rank2 = 1; rank2 <= n && rank2 <= tucker->grid[i] * tucker->taps; rank2++) {
      rg_candidate c = {.form = RG_FORM_TUCKER, .rank = (int)tucker->grid[i], .rank2 = (int)rank2};
      if (rg_rank_is_useful(rank2))
        RG_TRY(consider(job, site, c, tucker->grid_tails[i * (n + 1) + rank2], dense_milliseconds));
    }
  return RANGO_OK;
}

rango_status rg_tables_create(rg_job *job) {
  double total = 0;
  for (size_t i = 0; i < job->sites.count; i++)
    total += rg_site_cost(job, &job->sites.items[i], RG_FORM_DENSE, 0, 0).milliseconds;
  RG_TRY(rg_calloc(job->sites.count, sizeof *job->tables, RG_OUT(&job->tables)));
  for (size_t i = 0; i < job->sites.count; i++) RG_TRY(fill_table(job, i, total > 0 ? total : 1));
  return RANGO_OK;
}
