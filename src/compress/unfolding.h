/* What the forms whose first factor sees a row in several pieces share while they are made: convolution.c their bases,
 * convolution_factors.c their factors for chosen ranks, alternate.c the improvement of these. */
#ifndef RG_COMPRESS_UNFOLDING_H
#define RG_COMPRESS_UNFOLDING_H

#include "compress/compress.h"

typedef struct rg_unfolding {
  const rg_site *site;
  int64_t taps, inner, rank;
  const double *covariance; /* [inputs][inputs] */
  const double *weight;     /* L' W: [outputs][taps][inner] */
  const double *cross;      /* C W' L: [inputs][outputs] */
  double total;             /* trace(L' W C W' L) */
} rg_unfolding;

/* Takes a covariance and a weight [outputs][inputs], replaced by L' W; cross [inputs][outputs] becomes C W' L. */
void rg_unfolding_set(rg_unfolding *u, const double *covariance, const double *metric, double *weight, double *cross);
/* Covariance of one piece of a row, averaged over the pieces: c [inner][inner]. */
void rg_unfolding_average(const rg_unfolding *u, double *c);
/* The first factor V [rank][inner] in closed form. */
rango_status rg_unfolding_directions(const rg_unfolding *u, double *v);
/* The Cholesky factor of z's covariance, gram [rank * taps][rank * taps], and F [(rank, tap)][outputs]: row i is what
 * unknown i explains of L' y beyond those before it. */
rango_status rg_unfolding_explain(const rg_unfolding *u, const double *v, double *gram, double *f);
/* What L' y is best made of: solution [(rank, tap)][outputs] for the first factor v; f as above. */
rango_status rg_unfolding_solve(const rg_unfolding *u, const double *v, double *f, double *solution);
/* Improves v for a given solution: a least-squares problem in v alone. */
rango_status rg_unfolding_improve(const rg_unfolding *u, const double *solution, double *v);

#endif
