/* How a model did on each row of a data set, and what that says about the whole. */
#ifndef RG_COMPRESS_SCORES_H
#define RG_COMPRESS_SCORES_H

#include "compress/dataset.h"

typedef struct rg_scores {
  rango_metric metric;
  int64_t count; /* rows */
  double *error; /* [count] share of the row's answers that are wrong; for errors, the squared distance to the truth */
  double *size;  /* [count] squared norm of the row's truth; NULL for shares */
  double top5;   /* percent; NaN where it means nothing */
} rg_scores;

void rg_scores_free(rg_scores *scores);
double rg_scores_value(const rg_scores *scores); /* percent, or relative error */

/* One-sided upper 95 % bound of what the change from `before` to `after` (same rows, same metric) is on unseen rows: of
 * the drop in points for shares (paired differences, normal approximation with the rule of succession, so that no
 * observed difference doesn't mean no uncertainty), of after / before for relative errors, and of `after` itself for
 * output errors
 * (`before` NULL there and for agreement); the last two by `seed`ed bootstrap over rows. */
double rg_scores_bound(const rg_scores *before, const rg_scores *after, uint64_t seed);

/* First outputs of a model, a batch each. */
typedef struct rg_outputs {
  int64_t batch, count;
  rango_tensor **items; /* [count] */
} rg_outputs;

typedef struct rg_scoring {
  const rango_dataset *data;
  const rango_tensor *labels; /* or NULL: compare with `reference` */
  const rg_outputs *reference;
  bool output_error;
  int64_t batch; /* rows a run */
  rango_session_options session;
  rango_progress_function progress;
  void *user;
} rg_scoring;

/* Checks labels against data; RANGO_ERROR_ARGUMENT says what doesn't fit. */
rango_status rg_labels_check(const rango_tensor *labels, const rango_dataset *data);
rango_status rg_score(const rango_model *model, const rg_scoring *how, rg_scores *out);
rango_status rg_outputs_create(const rango_model *model, const rg_scoring *how, rg_outputs *out);
void rg_outputs_free(rg_outputs *outputs);

/* Rows a run, where the caller left the choice to us. */
int64_t rg_default_batch(const rango_dataset *data);

#endif
