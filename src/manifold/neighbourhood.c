/* Neighbourhoods: a point and its nearest, centred. */
#include "manifold/neighbourhood.h"

#include <string.h>

#include "linalg/linalg.h"

int64_t rg_neighbourhood_stride(int64_t count, int64_t wanted) {
  return wanted > 0 && count > wanted ? count / wanted : 1;
}

void rg_neighbourhood_gram(const double *points, int64_t dimension, const rg_neighbours *neighbours, int64_t point,
                           int64_t size, double *rows, double *gram) {
  const int64_t *nearest = neighbours->indices + point * neighbours->k;
  for (int64_t i = 0; i < size; i++)
    memcpy(rows + i * dimension, points + (i ? nearest[i - 1] : point) * dimension, (size_t)dimension * sizeof *rows);
  for (int64_t j = 0; j < dimension; j++) {
    double mean = 0;
    for (int64_t i = 0; i < size; i++) mean += rows[i * dimension + j];
    mean /= (double)size;
    for (int64_t i = 0; i < size; i++) rows[i * dimension + j] -= mean;
  }
  rg_matmul(false, true, size, size, dimension, 1.0, rows, rows, 0.0, gram);
}
