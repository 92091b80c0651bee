/* The choices of every site: what each form and rank costs, and what it does to the output. */
#include <math.h>

#include "compress/job.h"

static double milliseconds(const rg_job *job, rg_cost_query query) {
  return job->costs ? rg_costs_milliseconds(job->costs, &query) : 0;
}

/* Parameters with the bias that a factored layer has; multiplications for one row of data. */
static rg_cost dense_layer_cost(const rg_job *job, const rg_site *site, rg_form form, double rank) {
  double m = (double)site->inputs, n = (double)site->outputs, positions = (double)site->positions;
  rg_cost_query query = {.kind = RG_COST_DENSE, .rows = site->positions, .in = site->inputs, .out = site->outputs};
  if (form == RG_FORM_DENSE)
    return (rg_cost){m * n + (site->bias ? n : 0), m * n * positions, milliseconds(job, query)};
  query.out = (int64_t)rank;
  double first = milliseconds(job, query);
  query.in = (int64_t)rank;
  query.out = site->outputs;
  return (rg_cost){rank * (m + n) + n, rank * (m + n) * positions, first + milliseconds(job, query)};
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
                         .group = 1,
                         .kernel_h = kh,
                         .kernel_w = kw,
                         .height = h,
                         .width = w,
                         .plain = plain};
}

static rg_cost conv_cost(const rg_job *job, const rg_site *site, rg_form form, int64_t rank) {
  double m = (double)site->inputs, n = (double)site->outputs, positions = (double)site->positions, r = (double)rank;
  int64_t c = site->channels, kh = site->kernel_h, kw = site->kernel_w, h = site->output_h, w = site->output_w;
  int64_t outputs = site->outputs;
  if (form == RG_FORM_DENSE)
    return (rg_cost){m * n + (site->bias ? n : 0), m * n * positions,
                     milliseconds(job, conv_query(site, c, outputs, kh, kw, h, w))};
  if (form == RG_FORM_PAIR)
    return (rg_cost){r * (m + n) + n, r * (m + n) * positions,
                     milliseconds(job, conv_query(site, c, rank, kh, kw, h, w)) +
                         milliseconds(job, conv_query(site, rank, outputs, 1, 1, h, w))};
  double column = (double)(c * kh),
         between = (double)(h * site->input_w); /* the first convolution keeps the input's width */
  return (rg_cost){r * (column + n * (double)kw) + n, r * column * between + r * n * (double)kw * positions,
                   milliseconds(job, conv_query(site, c, rank, kh, 1, h, site->input_w)) +
                       milliseconds(job, conv_query(site, rank, outputs, 1, kw, h, w))};
}

rg_cost rg_site_cost(const rg_job *job, const rg_site *site, rg_form form, int64_t rank) {
  return site->kind == RG_SITE_CONV ? conv_cost(job, site, form, rank)
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

static rango_status fill_table(const rg_job *job, size_t site, double dense_milliseconds) {
  rg_candidates *table = &job->tables[site];
  rg_candidate dense = {.form = RG_FORM_DENSE, .cost = rg_site_cost(job, &job->sites.items[site], RG_FORM_DENSE, 0)};
  dense.price = price(job, dense.cost, dense_milliseconds);
  RG_TRY(add_candidate(table, dense));
  for (int form = RG_FORM_PAIR; form < RG_FORM_COUNT; form++) {
    const rg_basis *basis = &job->bases[site][form];
    for (int64_t rank = 1; rank <= basis->max_rank; rank++) {
      if (!rg_rank_is_useful(rank)) continue;
      rg_candidate c = {.form = (rg_form)form,
                        .rank = (int)rank,
                        .damage = rg_sensitivity_damage(&job->sensitivity[site], basis->tail[rank]),
                        .cost = rg_site_cost(job, &job->sites.items[site], (rg_form)form, rank)};
      c.price = price(job, c.cost, dense_milliseconds);
      if (c.price < dense.price) RG_TRY(add_candidate(table, c));
    }
  }
  return RANGO_OK;
}

rango_status rg_tables_create(rg_job *job) {
  double total = 0;
  for (size_t i = 0; i < job->sites.count; i++)
    total += rg_site_cost(job, &job->sites.items[i], RG_FORM_DENSE, 0).milliseconds;
  RG_TRY(rg_calloc(job->sites.count, sizeof *job->tables, RG_OUT(&job->tables)));
  for (size_t i = 0; i < job->sites.count; i++) RG_TRY(fill_table(job, i, total > 0 ? total : 1));
  return RANGO_OK;
}
