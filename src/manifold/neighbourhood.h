/* Neighbourhoods, within src/manifold. */
#ifndef RG_MANIFOLD_NEIGHBOURHOOD_H
#define RG_MANIFOLD_NEIGHBOURHOOD_H

#include "manifold/manifold.h"

/* Every so many points one is looked at, so that at least `wanted` of `count` are (all when there are fewer). */
int64_t rg_neighbourhood_stride(int64_t count, int64_t wanted);
/* A point and its size - 1 nearest, less their mean: rows [size][dimension], and their products gram [size][size]. */
void rg_neighbourhood_gram(const double *points, int64_t dimension, const rg_neighbours *neighbours, int64_t point,
                           int64_t size, double *rows, double *gram);

#endif
