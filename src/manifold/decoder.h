/* The curved way back from few coordinates: y = second relu(first z + first_bias) + second_bias. */
#ifndef RG_MANIFOLD_DECODER_H
#define RG_MANIFOLD_DECODER_H

#include "base/error.h"

typedef struct rg_decoder {
  int64_t inputs, hidden, outputs;
  float *first, *first_bias;   /* [hidden][inputs], [hidden] */
  float *second, *second_bias; /* [outputs][hidden], [outputs] */
  double linear_error; /* on the held-out rows, of the best linear way back: ||y - target|| / ||target - mean|| */
  double error;        /* the same, of this decoder */
} rg_decoder;

/* Fits rows z [rows][inputs] to y [rows][outputs] by least squares: Adam (Kingma and Ba 2015) in double precision, from
 * the linear solution where `hidden` is at least 2 * inputs (a linear map is a pair of half-lines a coordinate), so
 * that it ends no worse than that. Every fifth row is held out and says when it was best. At least 10 rows. */
rango_status rg_decoder_fit(const float *z, const float *y, int64_t rows, int64_t inputs, int64_t outputs,
                            int64_t hidden, uint64_t seed, rg_decoder *out);
/* y [rows][outputs] of z [rows][inputs]. */
rango_status rg_decoder_apply(const rg_decoder *decoder, const float *z, int64_t rows, float *y);
void rg_decoder_free(rg_decoder *decoder);

#endif
