/* Linear projections that tell a manifold's points apart (Whitney 1936; Broomhead and Kirby 2000). */
#ifndef RG_MANIFOLD_WHITNEY_H
#define RG_MANIFOLD_WHITNEY_H

#include "manifold/manifold.h"

#define RG_SECANTS_MOST 20000

/* Unit secants: directions between pairs of points, values [count][dimension]. */
typedef struct rg_secants {
  int64_t count, dimension;
  double *values;
} rg_secants;

/* All pairs of points [count][dimension], or `limit` pairs drawn with `seed` where there are more. Pairs nearer than
 * 1e-6 of the farthest are left out: their directions are rounding, or noise. */
rango_status rg_secants_create(const double *points, int64_t count, int64_t dimension, int64_t limit, uint64_t seed,
                               rg_secants *out);
void rg_secants_free(rg_secants *secants);

/* kappa = the shortest image of a unit secant under the orthonormal rows of projection [p][dimension]: 1/kappa bounds
 * the Lipschitz constant of the way back. *worst (or NULL): the secant. `images` [count][p] is work space. */
double rg_kappa(const rg_secants *secants, const double *projection, int64_t p, double *images, int64_t *worst);

/* Secant-avoidance projection: turns an orthonormal basis step by step away from the secant that it shortens most, and
 * keeps the best seen. From several random starts. projection [p][dimension], orthonormal rows; p <= dimension. */
rango_status rg_secant_avoidance(const rg_secants *secants, int64_t p, uint64_t seed, double *projection,
                                 double *kappa);

/* Share of the k nearest neighbours that are the same in both. */
double rg_neighbour_overlap(const rg_neighbours *a, const rg_neighbours *b);
/* Trustworthiness of Venna and Kaski (2001): whether neighbours found elsewhere (`neighbours`, of a map of the points)
 * are near in points [count][dimension]; 1 when all are among as many nearest. Continuity is the same with the roles
 * exchanged. */
rango_status rg_trustworthiness(const double *points, int64_t count, int64_t dimension, const rg_neighbours *neighbours,
                                double *out);

#endif
