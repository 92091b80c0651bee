/* Elementwise loops over several inputs that are broadcast to an output, in whatever layouts they lie: the axes are
 * put in the output's physical order, and neighbours that all arrays run through alike become one. */
#ifndef RG_CPU_NEST_H
#define RG_CPU_NEST_H

#include "cpu/cpu.h"

#define RG_NEST_INPUTS 6

typedef struct rg_nest {
  int inputs;
  int rank; /* >= 2; the last two are a block's rows and columns */
  size_t dims[RANGO_MAX_RANK + 2];
  size_t steps[RG_NEST_INPUTS][RANGO_MAX_RANK + 2]; /* elements; 0 where an input is stretched; 1 or 0 in the last */
  size_t total;                                     /* elements of the output */
} rg_nest;

/* A block of rows x dims[rank - 1] elements, beginning at these elements of the output and the inputs. */
typedef struct rg_nest_block {
  size_t out, at[RG_NEST_INPUTS];
  size_t rows, cols;
} rg_nest_block;

/* For the node's inputs first … first + inputs - 1 (present, concrete, broadcast to output 0) and output 0. */
void rg_nest_make(rg_nest *nest, const rg_prepare *prepare, int first, int inputs);
/* Calls body for blocks that cover the output. `cost`: of an element, an addition being 1. */
typedef void (*rg_nest_body)(const void *argument, const rg_nest *nest, const rg_nest_block *block);
void rg_nest_run(const rg_nest *nest, rango_threads *threads, size_t cost, rg_nest_body body, const void *argument);

#endif
