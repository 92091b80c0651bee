/* The curve that a report shows: networks of every size, with what they were predicted and measured to lose. */
#include <math.h>

#include "compress/job.h"

#define PREDICTED 48 /* points between the cheapest network and the dense one */

rango_status rg_curve_add(rg_job *job, const rg_candidate *choices, const rg_scores *scores) {
  double params = (double)job->canonical_params, macs = (double)job->canonical_macs, damage = 0;
  for (size_t i = 0; i < job->sites.count; i++) {
    const rg_candidate *dense = &job->tables[i].items[0];
    params += choices[i].cost.params - dense->cost.params;
    macs += choices[i].cost.macs - dense->cost.macs;
    damage += choices[i].damage;
  }
  RG_TRY(RG_RESERVE(&job->curve, 1));
  job->curve.items[job->curve.count++] = (rango_curve_point){
      .params = job->params > 0 ? params / (double)job->params : 1,
      .macs = job->macs > 0 ? macs / (double)job->macs : 1,
      .damage = damage,
      .metric = scores ? rg_scores_value(scores) : NAN,
      .bound = scores ? rg_scores_bound(job->scoring.labels ? &job->before : NULL, scores, job->options->seed) : NAN,
  };
  return RANGO_OK;
}

/* The allocation's own curve, even in price. */
static rango_status add_predicted(rg_job *job) {
  double dense = rg_dense_price(job), cheapest = rg_cheapest_price(job);
  size_t count = job->sites.count, *places = NULL;
  rg_candidate *choices = NULL;
  rango_status status;
  RG_TRY_DONE(rg_alloc(count * sizeof *places, RG_OUT(&places)));
  RG_TRY_DONE(rg_alloc(count * sizeof *choices, RG_OUT(&choices)));
  for (int i = 0; i < PREDICTED && cheapest < dense; i++) {
    double limit = cheapest + (dense - cheapest) * (i + 0.5) / PREDICTED;
    if (!rg_allocate(job->tables, count, limit, places)) continue;
    for (size_t site = 0; site < count; site++) choices[site] = job->tables[site].items[places[site]];
    RG_TRY_DONE(rg_curve_add(job, choices, NULL));
  }
done:
  rg_free(places);
  rg_free(choices);
  return status;
}

rango_status rg_curve_finish(rg_job *job, const rg_trial *chosen) {
  size_t measured = job->curve.count;
  RG_TRY(rg_curve_add(job, chosen->choices, &chosen->scores));
  const rango_curve_point *last = &job->curve.items[measured];
  for (size_t i = 0; i < measured; i++) { /* the search added it already */
    rango_curve_point *point = &job->curve.items[i];
    if (point->params != last->params || point->macs != last->macs || point->metric != last->metric) continue;
    point->chosen = true;
    job->curve.count--;
    return add_predicted(job);
  }
  job->curve.items[measured].chosen = true;
  return add_predicted(job);
}
