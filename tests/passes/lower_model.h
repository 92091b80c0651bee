/* A lowered copy of a model, to see what became of its nodes. */
#ifndef TESTS_PASSES_LOWER_MODEL_H
#define TESTS_PASSES_LOWER_MODEL_H

#include "support/model.h"

static inline rango_model *lowered(const rango_model *model) {
  rango_model *copy;
  check_ok(rg_model_copy(model, &copy));
  check_ok(rg_ops_resolve(copy, true));
  check_ok(rg_passes_lower(copy));
  return copy;
}

/* Counts nodes of an operator after lowering. */
static inline int lowered_count(const rango_model *model, const char *op) {
  rango_model *copy = lowered(model);
  int count = model_count(copy, op);
  rango_model_free(copy);
  return count;
}

/* The model has one float32 input of this shape; both devices agree. */
static inline void check_same(const rango_model *model, int rank, const int64_t *dims) {
  rango_tensor *x = tensor_random(RANGO_FLOAT32, rank, dims, 5);
  model_check_devices(model, (const rango_tensor *[]){x}, 1);
  rango_tensor_free(x);
}

#endif
