/* What the data's own shape says: principal components and intrinsic dimension. */
#ifndef RG_MANIFOLD_MANIFOLD_H
#define RG_MANIFOLD_MANIFOLD_H

#include "base/error.h"
#include "rango_compress.h"

#define RG_MANIFOLD_ROWS       4000 /* samples used at most, for up to RG_MANIFOLD_WIDE columns */
#define RG_MANIFOLD_ROWS_WIDE  2000 /* and for more */
#define RG_MANIFOLD_WIDE       1024
#define RG_MANIFOLD_PROJECTED  256 /* distances are taken after a random projection to so many columns */
#define RG_MANIFOLD_NEIGHBOURS 20  /* k of the maximum-likelihood estimate */

/* Distances from every row of points [count][dimension] to its k nearest other rows, ascending: distances [count][k].
 * count > k. */
rango_status rg_nearest_distances(const double *points, int64_t count, int64_t dimension, int64_t k, double *distances);

/* TwoNN (Facco, d'Errico, Rodriguez, Laio 2017): with mu the ratio of the second to the first neighbour's distance, the
 * slope through the origin of -ln(1 - rank/count) over ln mu, the largest tenth left out. distances [count][stride].
 * NaN when fewer than 10 rows, or when no ratio differs from 1. Rows with a neighbour at distance 0 are left out. */
double rg_two_nn(const double *distances, int64_t count, int64_t stride);

/* Maximum likelihood of Levina and Bickel (2004) from k neighbours, the points' estimates combined by the harmonic mean
 * (MacKay and Ghahramani 2005). NaN when there are no rows or all distances of a point are equal everywhere. Rows with
 * a neighbour at distance 0 are left out. */
double rg_levina_bickel(const double *distances, int64_t count, int64_t k);

/* How many of the leading variances [count], descending, hold at least `share` of their sum; 0 when the sum is 0. */
int64_t rg_components_holding(const double *variances, int64_t count, double share);

/* Spectrum and dimension of float rows [count][dimension]. RANGO_ERROR_NUMERIC names a row that isn't finite. */
rango_status rg_spectrum_of_matrix(const float *rows, int64_t count, int64_t dimension, uint64_t seed,
                                   rango_spectrum *out);

#endif
