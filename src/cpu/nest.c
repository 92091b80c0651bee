#include "cpu/nest.h"

#include "cpu/parallel.h"

/* Whether axis `inner` continues axis `outer` in every input (the output is dense). */
static bool continues(const rg_nest *nest, int outer, int inner) {
  for (int a = 0; a < nest->inputs; a++)
    if (nest->steps[a][outer] != nest->steps[a][inner] * nest->dims[inner]) return false;
  return true;
}

static void append(rg_nest *nest, size_t size, const size_t *steps) {
  const int last = nest->rank - 1;
  nest->dims[nest->rank] = size;
  for (int a = 0; a < nest->inputs; a++) nest->steps[a][nest->rank] = steps[a];
  if (nest->rank > 0 && continues(nest, last, nest->rank)) {
    nest->dims[last] *= size;
    for (int a = 0; a < nest->inputs; a++) nest->steps[a][last] = steps[a];
  } else {
    nest->rank++;
  }
}

/* Two axes at least, and inner steps of 0 or 1. */
static void complete(rg_nest *nest) {
  bool dense = nest->rank > 0;
  for (int a = 0; a < nest->inputs && dense; a++) dense = nest->steps[a][nest->rank - 1] <= 1;
  if (!dense) {
    nest->dims[nest->rank] = 1;
    for (int a = 0; a < nest->inputs; a++) nest->steps[a][nest->rank] = 0;
    nest->rank++;
  }
  if (nest->rank > 1) return;
  nest->dims[1] = nest->dims[0];
  nest->dims[0] = 1;
  for (int a = 0; a < nest->inputs; a++) {
    nest->steps[a][1] = nest->steps[a][0];
    nest->steps[a][0] = 0;
  }
  nest->rank = 2;
}

void rg_nest_make(rg_nest *nest, const rg_prepare *prepare, int first, int inputs) {
  const rg_fact *out = prepare->outputs[0];
  size_t strides[RG_NEST_INPUTS][RANGO_MAX_RANK] = {{0}};
  int axes[RANGO_MAX_RANK] = {0};
  *nest = (rg_nest){.inputs = inputs, .total = 1};
  for (int a = 0; a < inputs; a++) {
    const rg_fact *in = prepare->inputs[first + a];
    rg_physical_strides(in->rank, in->dims, prepare->node->inputs[first + a]->layout, strides[a]);
  }
  rg_physical_axes(out->rank, prepare->node->outputs[0]->layout, axes);
  for (int i = 0; i < out->rank; i++) {
    const int axis = axes[i];
    size_t steps[RG_NEST_INPUTS] = {0};
    nest->total *= (size_t)out->dims[axis];
    if (out->dims[axis] == 1) continue;
    for (int a = 0; a < inputs; a++) {
      const rg_fact *in = prepare->inputs[first + a];
      const int own = axis - (out->rank - in->rank);
      steps[a] = own < 0 || in->dims[own] == 1 ? 0 : strides[a][own];
    }
    append(nest, (size_t)out->dims[axis], steps);
  }
  complete(nest);
}

typedef struct job {
  const rg_nest *nest;
  rg_nest_body body;
  const void *argument;
} job;

/* Rows [begin, end) of all but the last axis, in blocks that stay within the last but one. */
static void run_rows(const void *argument, size_t begin, size_t end) {
  const job *self = argument;
  const rg_nest *nest = self->nest;
  const size_t cols = nest->dims[nest->rank - 1], inner = nest->dims[nest->rank - 2];
  for (size_t row = begin; row < end;) {
    rg_nest_block block = {.out = row * cols, .cols = cols};
    size_t rest = row;
    for (int i = nest->rank - 2; i >= 0; i--) {
      const size_t index = rest % nest->dims[i];
      rest /= nest->dims[i];
      for (int a = 0; a < nest->inputs; a++) block.at[a] += index * nest->steps[a][i];
    }
    block.rows = inner - row % inner < end - row ? inner - row % inner : end - row;
    self->body(self->argument, nest, &block);
    row += block.rows;
  }
}

/* Columns [begin, end) of the only row. */
static void run_columns(const void *argument, size_t begin, size_t end) {
  const job *self = argument;
  const rg_nest *nest = self->nest;
  rg_nest_block block = {.out = begin, .rows = 1, .cols = end - begin};
  for (int a = 0; a < nest->inputs; a++) block.at[a] = begin * nest->steps[a][nest->rank - 1];
  self->body(self->argument, nest, &block);
}

void rg_nest_run(const rg_nest *nest, rango_threads *threads, size_t cost, rg_nest_body body, const void *argument) {
  if (nest->total == 0) return;
  const job self = {nest, body, argument};
  const size_t cols = nest->dims[nest->rank - 1], rows = nest->total / cols;
  if (rows == 1)
    rg_cpu_parallel(threads, cols, 64, nest->total * cost, run_columns, &self);
  else
    rg_cpu_parallel(threads, rows, 1, nest->total * cost, run_rows, &self);
}
