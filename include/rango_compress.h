/*
 * Rango: compress a trained network within an accuracy budget. Link with librango-compress.
 *
 *     rango_dataset *calib = NULL, *val = NULL;
 *     rango_tensor *labels = NULL;
 *     rango_compression *result = NULL;
 *     rango_compress_options options = RANGO_COMPRESS_DEFAULTS;
 *     options.budget = RANGO_BUDGET_MAX_DROP;
 *     options.budget_value = 0.5; // at most half a percentage point of top-1
 *
 *     if (rango_dataset_load(model, (const char *[]){"calib.npy"}, 1, &calib) == RANGO_OK &&
 *         rango_dataset_load(model, (const char *[]){"val.npy"}, 1, &val) == RANGO_OK &&
 *         rango_tensor_load_npy("labels.npy", &labels) == RANGO_OK) {
 *       options.calib = calib;
 *       options.val = val;
 *       options.labels = labels;
 *       if (rango_compress(model, &options, &result) == RANGO_OK)
 *         rango_model_save(rango_compression_model(result), "smaller.onnx");
 *     }
 *
 * Conventions as in rango.h.
 */
#ifndef RANGO_COMPRESS_H
#define RANGO_COMPRESS_H

#include "rango.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------- data --- */

/* Rows of a model's inputs. */
typedef struct rango_dataset rango_dataset;

/* Loads arrays: "X.npy" for a model of one input, "NAME=X.npy" for each of several, or one "X.npz" keyed by input name.
 * Types are checked against the model's. The first axis counts rows; an input of rank 0, or one whose array has the
 * input's own shape while others have more rows, is given to every row alike. */
RANGO_API rango_status rango_dataset_load(const rango_model *model, const char *const *arguments, size_t count,
                                          rango_dataset **out);
/* Over the caller's tensors (not copied, outliving the dataset), in the order of the model's inputs. */
RANGO_API rango_status rango_dataset_create(const rango_model *model, const rango_tensor *const *inputs, size_t count,
                                            rango_dataset **out);
RANGO_API void rango_dataset_free(rango_dataset *dataset);
RANGO_API int64_t rango_dataset_rows(const rango_dataset *dataset);
/* Rows [begin, end) in the same order as new tensors, one an input of the model, freed by the caller. */
RANGO_API rango_status rango_dataset_batch(const rango_dataset *dataset, int64_t begin, int64_t end,
                                           rango_tensor **inputs, size_t count);
/* Rows that one run takes: 1 for a model whose batch is fixed at 1 (n if fixed at n), otherwise 0: any number. */
RANGO_API int64_t rango_dataset_fixed_batch(const rango_dataset *dataset);

/* ---------------------------------------------------------------------------------------------- evaluation --- */

/* Return false to stop: the call ends with RANGO_ERROR_CANCELLED. `fraction` is 0 to 1, `stage` a few words. */
typedef bool (*rango_progress_function)(void *user, double fraction, const char *stage);

typedef enum rango_metric {
  RANGO_METRIC_TOP1 = 0,           /* percent of rows whose largest score is the label's */
  RANGO_METRIC_RELATIVE_ERROR = 1, /* ||output - y||2 / ||y||2 over the whole set */
  RANGO_METRIC_AGREEMENT = 2,      /* percent of rows whose largest score is at the reference model's place */
  RANGO_METRIC_OUTPUT_ERROR = 3    /* relative error to the reference model's outputs */
} rango_metric;

typedef struct rango_evaluation {
  size_t struct_size;
  rango_metric metric;
  double value;
  double top5;   /* percent, with RANGO_METRIC_TOP1; NaN otherwise or with fewer than 6 classes */
  int64_t count; /* rows */
  double seconds;
} rango_evaluation;

typedef struct rango_evaluate_options {
  size_t struct_size;
  const rango_tensor *labels;    /* integers: top-1. Floating point: relative error. NULL: compare with `reference` */
  const rango_model *reference;  /* used without labels */
  bool output_error;             /* without labels: RANGO_METRIC_OUTPUT_ERROR in place of agreement */
  int64_t batch;                 /* rows a run; 0: a good default */
  rango_session_options session; /* device, threads, kernels */
  rango_progress_function progress;
  void *user;
} rango_evaluate_options;

/* Scores the model's first output on `data`. */
RANGO_API rango_status rango_evaluate(const rango_model *model, const rango_dataset *data,
                                      const rango_evaluate_options *options, rango_evaluation *out);

/* ------------------------------------------------------------------------------- the manifold, seen in data --- */

/* Estimators of intrinsic dimension. */
typedef enum rango_estimator {
  RANGO_ESTIMATOR_TWO_NN = 0,      /* Facco et al. 2017 */
  RANGO_ESTIMATOR_MLE = 1,         /* Levina and Bickel 2004, MacKay and Ghahramani's mean, 20 neighbours */
  RANGO_ESTIMATOR_CORRELATION = 2, /* Grassberger and Procaccia 1983 */
  RANGO_ESTIMATOR_ANGLES = 3,      /* expected simplex skewness, Johnsson et al. 2015 */
  RANGO_ESTIMATOR_NEAREST = 4,     /* as MLE from 3 neighbours, corrected for the number of samples */
  RANGO_ESTIMATOR_LOCAL_PCA = 5,   /* principal components of neighbourhoods */
  RANGO_ESTIMATOR_COMBINED = 6     /* geometric mean of ANGLES and NEAREST; NaN where neighbourhoods are curved */
} rango_estimator;
#define RANGO_ESTIMATORS 7

/* "two_nn", "mle", "correlation", "angles", "nearest", "local_pca", "combined"; NULL for other numbers. */
RANGO_API const char *rango_estimator_name(rango_estimator estimator);

/* A number with its 95 % interval; NaN where it isn't known. */
typedef struct rango_estimate {
  double value, low, high;
} rango_estimate;

/* The estimates from fewer samples, by rango_estimator: means over disjoint blocks of so many rows. */
typedef struct rango_decimation {
  int64_t rows;
  rango_estimate estimates[RANGO_ESTIMATORS];
} rango_decimation;
#define RANGO_DECIMATIONS 6

typedef struct rango_spectrum {
  size_t struct_size;
  int64_t rows;                 /* samples used */
  int64_t dimension;            /* ambient: columns */
  int64_t pca90, pca99, pca999; /* principal components that hold 90, 99, 99.9 % of the variance */
  double two_nn;                /* estimates[RANGO_ESTIMATOR_TWO_NN].value; NaN: too few distinct rows */
  double mle;                   /* estimates[RANGO_ESTIMATOR_MLE].value */
  int64_t whitney; /* 2m, m the rounded `intrinsic`: a smooth m-manifold embeds in so many (Whitney 1944). 0: unknown */
  int64_t whitney_linear;    /* 2m + 1: almost every linear projection to so many tells all its points apart */
  rango_estimate intrinsic;  /* the estimate to trust */
  rango_estimator estimator; /* whose it is: LOCAL_PCA, COMBINED or NEAREST */
  int64_t gap;               /* where local PCA sees a clear gap between the directions along and across; 0: nowhere */
  rango_estimate estimates[RANGO_ESTIMATORS]; /* by rango_estimator */
  int decimations;
  rango_decimation decimation[RANGO_DECIMATIONS]; /* [0]: all rows, then half of them, and so on */
} rango_spectrum;

/* Of a matrix of samples (first axis; the rest is flattened). */
RANGO_API rango_status rango_spectrum_of_rows(const rango_tensor *samples, uint64_t seed, rango_spectrum *out);

/* A small picture: values [channels][height][width], one channel or red, green, blue. */
typedef struct rango_picture {
  int channels, height, width; /* 0: no picture */
  const float *values;
} rango_picture;

/* A row of the calibration data that drives a layer far along a direction. */
typedef struct rango_excitation {
  int64_t row;
  double value;          /* the output along the direction, in standard deviations from its mean */
  int top, left;         /* the part of the picture that a convolution on the data reads there */
  int height, width;     /* 0: all of it */
  rango_picture picture; /* the row; none where rows aren't images */
} rango_excitation;

/* A direction that a layer's output varies along: a principal component, and what the layer reads to get there, its
 * weights along it. The first factor of a low-rank layer keeps these. */
typedef struct rango_direction {
  double share;                    /* of the output's variance */
  rango_picture picture;           /* the weights, where the layer reads images itself; none otherwise */
  const rango_excitation *samples; /* strongest first, each row once */
  size_t sample_count;
} rango_direction;

/* What the data or a layer's outputs look like. */
typedef struct rango_portrait {
  rango_spectrum spectrum;
  const double *shares; /* of the variance, by principal component, descending */
  size_t share_count;
  const rango_direction *directions; /* the leading ones */
  size_t direction_count;
} rango_portrait;

/* --------------------------------------------------------------------------------------------- compression --- */

typedef enum rango_budget {
  RANGO_BUDGET_MAX_DROP = 0,         /* value: percentage points of top-1 (labels); default 0.5 */
  RANGO_BUDGET_MAX_ERROR_RATIO = 1,  /* value: relative error at most so many times the original's (float labels) */
  RANGO_BUDGET_MIN_AGREEMENT = 2,    /* value: percent of rows with the original's top-1 (no labels); default 99 */
  RANGO_BUDGET_MAX_OUTPUT_ERROR = 3, /* value: relative error to the original's outputs (no labels) */
  RANGO_BUDGET_CUT_PARAMS = 4,       /* value: percent of all parameters to remove */
  RANGO_BUDGET_CUT_MACS = 5          /* value: percent of all MACs to remove */
} rango_budget;

typedef enum rango_objective {
  RANGO_OBJECTIVE_BALANCED = 0, /* mean of the remaining fractions of parameters and MACs */
  RANGO_OBJECTIVE_PARAMS = 1,
  RANGO_OBJECTIVE_MACS = 2,
  RANGO_OBJECTIVE_TIME = 3 /* milliseconds at batch 1 by the cost table; a result that isn't faster is refused */
} rango_objective;

/* How layers are made smaller. All but FISHER are there to compare with. */
typedef enum rango_method {
  RANGO_METHOD_FISHER = 0,     /* least change of the network's output, fitted in sequence; all forms */
  RANGO_METHOD_SVD = 1,        /* truncated SVD of the weights alone */
  RANGO_METHOD_PCA = 2,        /* principal components of each layer's outputs in the original network */
  RANGO_METHOD_SEQUENTIAL = 3, /* PCA, fitted in sequence; all forms */
  RANGO_METHOD_ENERGY = 4,     /* PCA, every layer keeps the same share of its outputs' variance */
  RANGO_METHOD_VBMF = 5,       /* SVD, ranks from variational Bayes matrix factorisation of the weights */
  RANGO_METHOD_WHITNEY = 6     /* dense layers: 2m + 1 coordinates of their outputs and a fitted Gemm-Relu-Gemm back */
} rango_method;

typedef struct rango_compress_options {
  size_t struct_size;
  const rango_dataset *calib; /* unlabelled; fits the factors. Required */
  const rango_dataset *val;   /* chooses the operating point; NULL: every fourth row of calib is kept for it */
  const rango_tensor *labels; /* of val; NULL: agreement or output error */
  rango_budget budget;
  double budget_value;
  rango_objective objective;
  int confidence;    /* 0: val's measured value decides; 95: its one-sided 95 % bound */
  const char *costs; /* file of `rango tune`; NULL: the kernel table's own */
  int threads;       /* 0: one for each core */
  uint64_t seed;
  int64_t
      memory_bytes; /* bound on statistics and kept activations; 0: 2 GiB, or the size of a model of 256 MiB or more */
  rango_progress_function progress;
  void *user;
  bool portraits;    /* also collect what a report shows of each layer */
  const char *stats; /* file of rango_calibrate with this calib, seed and memory bound; needs val. NULL: none */
  rango_method method;
  int refine; /* passes of training on calib, without labels, of the best network and then of up to three smaller
                 ones; needs derivatives of the model. 0: none */
} rango_compress_options;

#define RANGO_COMPRESS_DEFAULTS                                                                                        \
  { .struct_size = sizeof(rango_compress_options), .budget = RANGO_BUDGET_MAX_DROP, .budget_value = 0.5, .seed = 1 }

/* ---- statistics that serve any number of compressions ---- */
typedef struct rango_calibrate_options {
  size_t struct_size;
  int threads; /* 0: one for each core */
  uint64_t seed;
  int64_t memory_bytes; /* as in rango_compress_options */
  rango_progress_function progress;
  void *user;
} rango_calibrate_options;

#define RANGO_CALIBRATE_DEFAULTS                                                                                       \
  { .struct_size = sizeof(rango_calibrate_options), .seed = 1 }

/* Collects what rango_compress needs of `calib` and writes it to `path`, for rango_compress_options.stats: the same
 * model comes out as without. While it works, `<path>.part` holds what there is so far; when the call was interrupted
 * (by `progress`, or the process was killed), the next one with the same model, data and options goes on from there. */
RANGO_API rango_status rango_calibrate(const rango_model *model, const rango_dataset *calib, const char *path,
                                       const rango_calibrate_options *options);

/* What became of one layer. */
typedef struct rango_compressed_layer {
  const char *name, *op;
  int64_t rows_in, columns_out; /* the weight as a matrix: inputs (with kernel taps) and outputs */
  const char *shape;            /* the weight's shape, "[64, 3, 3, 3]" */
  const char *form;             /* "dense", "pair" (k x k then 1 x 1, or two matrices), "spatial" (k x 1 then 1 x k),
                                   "pointwise", "tucker", "whitney", "split" (a pair for each part of the outputs) */
  int ranks[4];
  int rank_count;
  bool kept_dense;
  int64_t params_before, params_after, macs_before, macs_after;
  double error;                   /* relative error of the layer's output on calibration data, at the chosen rank */
  double ms_before, ms_after;     /* at batch 1 by the cost table; NaN: unknown */
  bool slower;                    /* by the cost table: kept because it saves what the objective asks for */
  const rango_portrait *portrait; /* NULL unless asked for */
} rango_compressed_layer;

/* A weight of a layer that isn't factored at all: recurrent weights, layers inside of If, Loop and Scan, shared
 * weights, depthwise convolutions ... */
typedef struct rango_left_alone {
  const char *name, *op;
  const char *shape; /* of the weight */
  int64_t params;
  const char *reason;
} rango_left_alone;

/* A network that the search looked at. */
typedef struct rango_curve_point {
  double params, macs; /* what remains, as fractions of the whole model */
  double damage;       /* predicted: the output's squared error, in the unit of the search */
  double metric;       /* on val; NaN: not measured */
  double bound;        /* one-sided 95 % bound of the change; NaN: not measured */
  bool chosen;
} rango_curve_point;

typedef struct rango_compress_summary {
  size_t struct_size;
  rango_metric metric;
  double metric_before, metric_after; /* on val */
  double bound;                       /* one-sided 95 % bound of the change (drop in points, or ratio); NaN: none */
  int64_t rows;                       /* of val */
  int64_t params_before, params_after, macs_before, macs_after;
  double ms_before, ms_after; /* at batch 1, medians of interleaved rounds, `threads` threads */
  double seconds;
  int layers, layers_compressed;
  int64_t calib_rows;  /* that fitted the factors */
  bool val_from_calib; /* val's rows are a part of calib that was kept from the fit */
  bool labels;         /* val's metric was taken with labels */
  rango_budget budget; /* as asked for */
  double budget_value;
  rango_objective objective;
  int confidence;
} rango_compress_summary;

typedef struct rango_compression rango_compression;

/* Compresses. RANGO_ERROR_BUDGET when nothing within the budget is smaller (or faster, under RANGO_OBJECTIVE_TIME). */
RANGO_API rango_status rango_compress(const rango_model *model, const rango_compress_options *options,
                                      rango_compression **out);
RANGO_API void rango_compression_free(rango_compression *result);
/* The smaller model, owned by the result. */
RANGO_API const rango_model *rango_compression_model(const rango_compression *result);
RANGO_API rango_status rango_compression_summary(const rango_compression *result, rango_compress_summary *out);
RANGO_API const rango_compressed_layer *rango_compression_layer(const rango_compression *result,
                                                                size_t index); /* or NULL */
RANGO_API const rango_left_alone *rango_compression_left_alone(const rango_compression *result,
                                                               size_t index); /* or NULL */
/* The search's networks, the least compressed first. */
RANGO_API const rango_curve_point *rango_compression_curve(const rango_compression *result, size_t index); /* or NULL */
/* The calibration data's own; NULL unless asked for. */
RANGO_API const rango_portrait *rango_compression_data(const rango_compression *result);

/* ------------------------------------------------------------------------------------- the layers' spectra --- */

typedef struct rango_layer_spectrum {
  const char *name, *op;
  int64_t rows_in, columns_out; /* of the weight as a matrix */
  rango_spectrum output;        /* of the layer's output rows (an image's positions are rows) */
  const rango_portrait *portrait;
} rango_layer_spectrum;

typedef struct rango_spectra rango_spectra;
/* Of the data and of every layer that compression would look at, on up to `rows` rows of `calib` (0: 1024). */
RANGO_API rango_status rango_spectra_create(const rango_model *model, const rango_dataset *calib, int64_t rows,
                                            uint64_t seed, int threads, rango_progress_function progress, void *user,
                                            rango_spectra **out);
RANGO_API void rango_spectra_free(rango_spectra *spectra);
RANGO_API const rango_spectrum *rango_spectra_input(const rango_spectra *spectra);
RANGO_API const rango_layer_spectrum *rango_spectra_layer(const rango_spectra *spectra, size_t index);  /* or NULL */
RANGO_API const rango_left_alone *rango_spectra_left_alone(const rango_spectra *spectra, size_t index); /* or NULL */
RANGO_API const rango_portrait *rango_spectra_data(const rango_spectra *spectra);

/* --------------------------------------------------------------------------------------------------- reports --- */

typedef struct rango_report_options {
  size_t struct_size;
  const char *title;                 /* of the page; NULL: the kind of report */
  const char *command;               /* what repeats it, shown as it is; NULL: left out */
  int64_t bytes_before, bytes_after; /* of the models' files; 0: not known */
} rango_report_options;

/* Writes one self-contained HTML page: what was won, the search's curve, spectra, dimensions, pictures, every layer.
 * What pictures and spectra need is there if rango_compress_options.portraits was set. `options` may be NULL. */
RANGO_API rango_status rango_compression_write_report(const rango_compression *result, const char *path,
                                                      const rango_report_options *options);
/* The same of spectra alone. */
RANGO_API rango_status rango_spectra_write_report(const rango_spectra *spectra, const char *path,
                                                  const rango_report_options *options);

/* -------------------------------------------------------------------------------------- data without a model --- */

typedef enum rango_projection_method {
  RANGO_PROJECT_PCA = 0,    /* the leading principal components: least loss for a linear way back */
  RANGO_PROJECT_WHITNEY = 1 /* no two points close together: secant avoidance, Broomhead and Kirby 2000 */
} rango_projection_method;

typedef struct rango_manifold_options {
  size_t struct_size;
  int64_t project; /* coordinates wanted; 0: none, the spectrum alone */
  rango_projection_method method;
  uint64_t seed;
  int threads;   /* 0: one for each core */
  bool portrait; /* also collect what a report shows */
} rango_manifold_options;

/* kappa: the least that a secant (the line between two samples) keeps of its length; 0 where two samples coincide. */
typedef struct rango_kappa {
  int64_t coordinates;
  double whitney, pca; /* by secant avoidance, and of the principal components */
} rango_kappa;
#define RANGO_KAPPAS 12

typedef struct rango_projection {
  size_t struct_size;
  rango_projection_method method;
  int64_t coordinates;
  double kappa;
  double variance;        /* share of it that the coordinates hold */
  double overlap;         /* share of the 10 nearest neighbours that stay so */
  double trustworthiness; /* Venna and Kaski 2001, 10 neighbours: new neighbours are near in the data */
  double continuity;      /* old neighbours are near in the projection */
  int profile_count;
  rango_kappa profile[RANGO_KAPPAS]; /* over numbers of coordinates up to the one wanted */
} rango_projection;

typedef struct rango_manifold rango_manifold;

/* Intrinsic dimension of samples (first axis; the rest is flattened), and a linear projection. */
RANGO_API rango_status rango_manifold_create(const rango_tensor *samples, const rango_manifold_options *options,
                                             rango_manifold **out);
RANGO_API void rango_manifold_free(rango_manifold *manifold);
RANGO_API const rango_spectrum *rango_manifold_spectrum(const rango_manifold *manifold);
RANGO_API const rango_projection *rango_manifold_projection(const rango_manifold *manifold); /* NULL: none */
RANGO_API const rango_tensor *rango_manifold_projected(const rango_manifold *manifold);      /* [rows][coordinates] */
/* Of the samples that the spectrum was taken of; pictures where rows are images ([H, W], [C, H, W] or [H, W, C]) or
 * curves. NULL unless asked for. */
RANGO_API const rango_portrait *rango_manifold_portrait(const rango_manifold *manifold);
/* [rows][2], the same samples by the first two coordinates of the projection, without one (or with one coordinate)
 * by their first two principal components. NULL unless the portrait was asked for. */
RANGO_API const rango_tensor *rango_manifold_plane(const rango_manifold *manifold);
/* Writes one self-contained HTML page, as above; the portrait must have been asked for. */
RANGO_API rango_status rango_manifold_write_report(const rango_manifold *manifold, const char *path,
                                                   const rango_report_options *options);

typedef struct rango_svd_options {
  size_t struct_size;
  int64_t rank;     /* at most so many terms; 0: as many as the tolerance asks for */
  double tolerance; /* relative error in the Frobenius norm that is enough; 0: none, rank terms */
  uint64_t seed;
  int threads; /* 0: one for each core */
} rango_svd_options;

typedef struct rango_svd rango_svd;

/* Truncated singular value decomposition u diag(s) vt of a matrix. Large ones by a randomised range finder (Halko,
 * Martinsson, Tropp 2011) whose power iterations go on until the error stands still. */
RANGO_API rango_status rango_svd_create(const rango_tensor *matrix, const rango_svd_options *options, rango_svd **out);
RANGO_API void rango_svd_free(rango_svd *svd);
RANGO_API int64_t rango_svd_rank(const rango_svd *svd);
RANGO_API double rango_svd_error(const rango_svd *svd);           /* ||a - u diag(s) vt|| / ||a||, Frobenius */
RANGO_API bool rango_svd_exact(const rango_svd *svd);             /* false: by the range finder */
RANGO_API const rango_tensor *rango_svd_u(const rango_svd *svd);  /* [rows][rank] */
RANGO_API const rango_tensor *rango_svd_s(const rango_svd *svd);  /* [rank], descending */
RANGO_API const rango_tensor *rango_svd_vt(const rango_svd *svd); /* [rank][columns] */
RANGO_API rango_status rango_svd_save(const rango_svd *svd, const char *path); /* .npz with u, s, vt */

/* ------------------------------------------------------------------------------------------ this machine's costs ---
 */

/* Measures what layers cost on this machine and writes them for rango_compress_options.costs. */
RANGO_API rango_status rango_tune(const char *path, int threads, rango_progress_function progress, void *user);

#ifdef __cplusplus
}
#endif
#endif
