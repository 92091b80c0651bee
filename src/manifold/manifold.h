/* What the data's own shape says: principal components, intrinsic dimension, projections that keep neighbours. */
#ifndef RG_MANIFOLD_MANIFOLD_H
#define RG_MANIFOLD_MANIFOLD_H

#include "base/error.h"
#include "rango_compress.h"

#define RG_MANIFOLD_ROWS      4000 /* samples used at most, for up to RG_MANIFOLD_WIDE columns */
#define RG_MANIFOLD_ROWS_WIDE 2000 /* and for more */
#define RG_MANIFOLD_WIDE      1024
#define RG_MANIFOLD_PROJECTED 256 /* distances are taken after a random projection to so many columns */
#define RG_MANIFOLD_LEAST     10  /* rows without which there is no estimate */

#define RG_MLE_NEIGHBOURS       20 /* k of the maximum-likelihood estimate */
#define RG_NEAREST_NEIGHBOURS   3  /* of the estimate at the smallest scale */
#define RG_ANGLE_NEIGHBOURS     20 /* of the estimate from angles */
#define RG_LOCAL_PCA_NEIGHBOURS 64 /* largest neighbourhood of local PCA */

/* ---- rows ---- */

/* `count` of `total` row numbers, drawn without repetition, ascending: order [total], its first `count`. */
void rg_draw_rows(int64_t *order, int64_t total, int64_t count, uint64_t seed);
/* Distinct rows among float rows[order[0 ... count)] of `dimension` columns: keep[i] where row order[i] is the first of
 * its kind. A row equal to another one would have a neighbour at distance 0. */
rango_status rg_mark_distinct(const float *rows, const int64_t *order, int64_t count, int64_t dimension, bool *keep);
/* A Gaussian random projection of points [count][dimension] to out [count][to], which keeps a manifold's distances,
 * hence its dimension (Hegde, Wakin, Baraniuk 2007). */
rango_status rg_project_randomly(const double *points, int64_t count, int64_t dimension, int64_t to, uint64_t seed,
                                 double *out);
/* Variances along the principal components of centred points: [min(count, dimension)], descending. */
rango_status rg_principal_variances(const double *points, int64_t count, int64_t dimension, double *variances);
/* How many of the leading variances [count], descending, hold at least `share` of their sum; 0 when the sum is 0. */
int64_t rg_components_holding(const double *variances, int64_t count, double share);

/* ---- neighbours ---- */

/* Gives every block of rows its squared distances to all points, squares [size][count], by |a|^2 + |b|^2 - 2ab: digits
 * of close pairs are lost, so whoever needs them takes differences. Points should be centred. */
typedef void (*rg_visit_distances)(void *user, int64_t begin, int64_t size, const double *squares);
rango_status rg_distance_blocks(const double *points, int64_t count, int64_t dimension, rg_visit_distances visit,
                                void *user);

/* Every point's k nearest other points, nearest first, with exact distances: both [count][k]. */
typedef struct rg_neighbours {
  int64_t count, k;
  double *distances;
  int64_t *indices;
} rg_neighbours;
/* count > k. */
rango_status rg_neighbours_find(const double *points, int64_t count, int64_t dimension, int64_t k, rg_neighbours *out);
void rg_neighbours_free(rg_neighbours *neighbours);

/* ---- estimators of intrinsic dimension: NaN where there are too few rows, or none that are apart ---- */

/* TwoNN (Facco, d'Errico, Rodriguez, Laio 2017): with mu the ratio of the second to the first neighbour's distance, the
 * slope through the origin of -ln(1 - rank/count) over ln mu, the largest tenth left out. distances [count][stride];
 * rows with a neighbour at distance 0 are left out. Interval: the law of the maximum-likelihood slope. */
rango_estimate rg_two_nn(const double *distances, int64_t count, int64_t stride);

/* Maximum likelihood of Levina and Bickel (2004) from k neighbours, the points' estimates combined by the harmonic mean
 * (MacKay and Ghahramani 2005). Rows as above. Interval: the count * (k - 1) log-ratios are exponentially distributed;
 * it takes them for independent. */
rango_estimate rg_levina_bickel(const double *distances, int64_t count, int64_t stride, int64_t k);

/* What rg_levina_bickel tends to on `count` points drawn uniformly on a sphere of `dimension` dimensions, fractions
 * included: less than `dimension`, the more so the higher it is; k up to RG_MLE_NEIGHBOURS. And the dimension whose
 * expectation is `estimate`. */
double rg_levina_bickel_expected(double dimension, int64_t count, int64_t k);
double rg_levina_bickel_invert(double estimate, int64_t count, int64_t k);

/* Correlation dimension (Grassberger and Procaccia 1983): growth of the pairs closer than r, between the median
 * distance of the 10th and of the 20th neighbour. Interval: bootstrap over points, 2.5 to 97.5 %; `resamples` 0 for
 * none. */
rango_status rg_correlation_dimension(const double *points, int64_t count, int64_t dimension,
                                      const rg_neighbours *neighbours, int resamples, uint64_t seed,
                                      rango_estimate *out);

/* Expected simplex skewness (Johnsson, Soneson, Fontes 2015), lines: the mean sine of the angle between two of a
 * neighbourhood's points, seen from its centre, grows with the dimension in closed form. Over `wanted` neighbourhoods
 * at most. Interval: bootstrap over neighbourhoods. */
rango_status rg_angle_dimension(const double *points, int64_t count, int64_t dimension, const rg_neighbours *neighbours,
                                int64_t wanted, int resamples, uint64_t seed, rango_estimate *out);
double rg_expected_sine(double dimension);

/* Local PCA: variances of the neighbourhoods of k points (a point and its k - 1 nearest), values [count][n] descending.
 */
typedef struct rg_local_spectra {
  int64_t count, k, n;
  double *values;
} rg_local_spectra;
rango_status rg_local_spectra_create(const double *points, int64_t count, int64_t dimension,
                                     const rg_neighbours *neighbours, int64_t k, int64_t wanted, rg_local_spectra *out);
void rg_local_spectra_free(rg_local_spectra *spectra);

/* Criteria on one spectrum [n], descending. Fukunaga and Olsen (1971): how many exceed `share` of the first.
 * Participation ratio: (sum)^2 / sum of squares. The ratio of variance held is rg_components_holding. */
int64_t rg_fukunaga_olsen(const double *variances, int64_t n, double share);
double rg_participation(const double *variances, int64_t n);
/* The first d up to `limit` after which the variances fall RG_GAP times: a clear gap; 0 without one. */
#define RG_GAP 10.0
int64_t rg_spectral_gap(const double *variances, int64_t n, int64_t limit);

/* The gap of the neighbourhoods' mean spectrum (geometric mean), in the smallest of 8, 16, 32 and 64 points that shows
 * one at up to half its points: *gap, else 0 and the mean Fukunaga-Olsen count of 32 points. Interval: bootstrap over
 * neighbourhoods. */
rango_status rg_local_pca(const double *points, int64_t count, int64_t dimension, const rg_neighbours *neighbours,
                          int64_t wanted, int resamples, uint64_t seed, rango_estimate *out, int64_t *gap);

/* ---- all of them ---- */

/* Every estimate of centred, distinct points [count][dimension], and where local PCA sees a clear gap (0: nowhere). */
typedef struct rg_dimensions {
  rango_estimate estimates[RANGO_ESTIMATORS];
  double raw; /* of RANGO_ESTIMATOR_NEAREST, uncorrected */
  int64_t gap;
} rg_dimensions;
/* `neighbourhoods`: how many those that look at neighbourhoods take. */
rango_status rg_dimensions_estimate(const double *points, int64_t count, int64_t dimension, int64_t neighbourhoods,
                                    int resamples, uint64_t seed, rg_dimensions *out);
/* All estimates of points, the one to trust, and the decimation curve, into `out`. `variances` [components] are the
 * points' principal variances, descending. */
rango_status rg_dimensions_report(const double *points, int64_t count, int64_t dimension, const double *variances,
                                  int64_t components, uint64_t seed, rango_spectrum *out);

/* 2.5 and 97.5 % of what `statistic` says of `resamples` draws with repetition of `count` items. */
typedef double (*rg_statistic)(const void *user, const int64_t *drawn, int64_t count);
rango_status rg_bootstrap(rg_statistic statistic, const void *user, int64_t count, int resamples, uint64_t seed,
                          rango_estimate *out);

/* The samples' projection as the options ask for, and how well it keeps them: *projected [rows][coordinates]. */
rango_status rg_project_samples(const rango_tensor *samples, const rango_manifold_options *options,
                                rango_projection *out, rango_tensor **projected);

/* Spectrum and dimension of float rows [count][dimension]. RANGO_ERROR_NUMERIC names a row that isn't finite. */
rango_status rg_spectrum_of_matrix(const float *rows, int64_t count, int64_t dimension, uint64_t seed,
                                   rango_spectrum *out);

#endif
