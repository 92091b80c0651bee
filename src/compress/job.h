/* One call of rango_compress: what its steps share. */
#ifndef RG_COMPRESS_JOB_H
#define RG_COMPRESS_JOB_H

#include "compress/augment.h"
#include "compress/compress.h"
#include "compress/scores.h"
#include "cpu/cpu.h"

/* Bytes of weights: from here on memory is kept to a few times as much. */
#define RG_MODEL_LARGE (INT64_C(1) << 28)

typedef struct rg_method rg_method; /* method.h */

typedef struct rg_job {
  const rango_compress_options *options;
  const rg_method *method;
  const rango_model *original;
  rango_model *model; /* canonical copy */
  rango_threads *pool;
  rango_session_options session;
  rango_dataset *calib_part, *val_part, *probe; /* owned, where calib is split; rows that sensitivity is measured on */
  const rango_dataset *val;
  rg_calibration calibration;
  rg_merged merged;
  rg_sites sites;
  rg_statistics *statistics;        /* [sites] */
  int64_t kept_bytes;               /* of covariances */
  int64_t row_bytes;                /* of the sites' inputs for one row of data */
  rg_basis (*bases)[RG_FORM_COUNT]; /* [sites] */
  rg_sensitivity *sensitivity;      /* [sites], where it is measured; NULL: the metric says it */
  int64_t *ranks;                   /* [sites] above noise, where the method asks for them; NULL */
  rg_factors *codes;                /* [sites] of the method whitney: what a layer may become; NULL */
  rg_candidates *tables;            /* [sites] */
  rg_costs *costs;                  /* with the time objective */
  int64_t params, macs;             /* of the original; macs 0: unknown */
  int64_t canonical_params, canonical_macs;
  rg_augmentation augmentation; /* of what training sees; chosen when the search comes to that */
  rg_scoring scoring;
  rg_outputs reference;
  rg_scores before;
  struct {
    rango_curve_point *items;
    size_t count, capacity;
  } curve;          /* what the search looked at; the result takes it over */
  double low, high; /* the part of the progress that the running step has */
} rg_job;

/* Progress: sets the running step's part. */
void rg_job_stage(rg_job *job, double low, double high);

/* ---- compress.c ---- */
/* The canonical model, its sites, and how to go over `data`. */
rango_status rg_job_prepare_model(rg_job *job, const rango_dataset *data);
void rg_job_free(rg_job *job);

/* ---- sizes.c ---- */
/* Parameters and MACs for one row of `data`; *macs 0: not known. */
rango_status rg_count_model(const rango_model *model, const rango_dataset *data, int64_t *params, int64_t *macs);

/* Bytes for one row: the sites' inputs together, the largest set of values that crosses a cut before a site, and each
 * site's output (outputs [sites] or NULL). */
rango_status rg_measure_memory(const rango_model *model, const rango_dataset *data, const rg_sites *sites,
                               int64_t *inputs, int64_t *frontier, int64_t *outputs);

/* ---- tables.c ---- */
/* rank2: Tucker's, otherwise 0. */
rg_cost rg_site_cost(const rg_job *job, const rg_site *site, rg_form form, int64_t rank, int64_t rank2);
rango_status rg_tables_create(rg_job *job);

/* ---- secant.c ---- */
/* Prices between which the next network is looked for. */
typedef struct rg_bracket {
  double cheapest, dense;       /* all that there are: the first low and high */
  double low, high;             /* of networks beyond the budget and within it */
  double low_share, high_share; /* of the budget that these use; INFINITY and 0 where none was measured */
  double closest;               /* to the budget that a network came */
} rg_bracket;

/* A price strictly between where nearly all of the budget is taken to be used: what is lost is a power of the price,
 * through both networks or through the one that was measured. Below both where they are close and the
 * one beyond the budget is so by a little. */
double rg_bracket_next(const rg_bracket *b);
/* A network of that price, what it uses of the budget, and whether it is kept. */
void rg_bracket_add(rg_bracket *b, double price, double share, bool kept);

/* ---- search.c ---- */
typedef struct rg_trial {
  rango_model *model;
  rg_candidate *choices; /* [sites] */
  rg_factors *factors;   /* [sites] without their values */
  rg_scores scores;
  double price; /* of the sites */
} rg_trial;

void rg_trial_free(rg_job *job, rg_trial *trial);
/* Of all sites together: as they are, and at the least. */
double rg_dense_price(const rg_job *job);
double rg_cheapest_price(const rg_job *job);
/* The cheapest network within the budget; RANGO_ERROR_BUDGET when there is none. */
rango_status rg_search(rg_job *job, rg_trial *best);

/* ---- curve.c ---- */
/* A network of choices [sites]; `scores` NULL: not measured. */
rango_status rg_curve_add(rg_job *job, const rg_candidate *choices, const rg_scores *scores);
/* Marks the chosen one, and adds what the allocation predicts for all sizes. */
rango_status rg_curve_finish(rg_job *job, const rg_trial *chosen);

/* ---- timing.c ---- */
/* Milliseconds of one run of each model on the data's first row (or its fixed batch): medians of interleaved rounds,
 * or, where the models are large together, of turns in which one has a session. */
rango_status rg_time_models(const rango_model *const *models, size_t count, const rango_dataset *data,
                            const rango_session_options *session, double *milliseconds);
double rg_now(void); /* seconds of a steady clock */

#endif
