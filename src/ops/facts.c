/* Facts about values, and what shape rules call to read and state them. */
#include "ops/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool rg_fact_is_concrete(const rg_fact *fact) {
  if (!fact || fact->kind != RG_KIND_TENSOR || fact->type == RANGO_UNDEFINED || fact->rank < 0) return false;
  for (int i = 0; i < fact->rank; i++)
    if (!rg_size_is_known(fact->dims[i])) return false;
  return true;
}

rango_status rg_fact_shape(const rg_fact *fact, rg_shape *out) {
  if (!rg_fact_is_concrete(fact)) RG_FAIL(RANGO_ERROR_INTERNAL, "a shape is asked for that is not known yet");
  out->rank = fact->rank;
  memcpy(out->dims, fact->dims, (size_t)fact->rank * sizeof *out->dims);
  return RANGO_OK;
}

void rg_fact_set(rg_fact *fact, rango_type type, int rank, const int64_t *dims) {
  if (!fact) return;
  fact->kind = RG_KIND_TENSOR;
  fact->type = type;
  fact->rank = rank;
  for (int i = 0; i < rank; i++) fact->dims[i] = dims ? dims[i] : RG_SIZE_UNKNOWN;
}

void rg_fact_from_tensor(rg_fact *fact, const rango_tensor *tensor) {
  rg_fact_set(fact, tensor->type, tensor->shape.rank, tensor->shape.dims);
  fact->constant = tensor;
}

int64_t rg_infer_new_symbol(rg_infer *infer) {
  return infer->next_symbol < INT32_MAX ? RG_SIZE_SYMBOL(infer->next_symbol++) : RG_SIZE_UNKNOWN;
}

/* An outside size that would read as a symbol: no real tensor holds one where sizes are meant. */
static bool reads_as_symbol(int64_t value) { return !rg_size_is_known(value); }

const int64_t *rg_infer_known(rg_infer *infer, int input, int64_t *count) {
  const rg_fact *fact = input < infer->input_count ? infer->inputs[input] : NULL;
  *count = 0;
  if (!fact) return NULL;
  if (fact->known) {
    *count = fact->known_count;
    return fact->known;
  }
  const rango_tensor *tensor = fact->constant;
  int64_t elements, *values;
  if (!tensor || !(rg_type_is_integer(tensor->type) || tensor->type == RANGO_BOOL)) return NULL;
  if (rg_shape_count(&tensor->shape, &elements) != RANGO_OK || elements > RG_KNOWN_MAX) return NULL;
  if (rg_arena_calloc(infer->arena, (size_t)elements + 1, sizeof *values, RG_OUT(&values)) != RANGO_OK) return NULL;
  for (int64_t i = 0; i < elements; i++) {
    values[i] = rg_tensor_get_i64(tensor, i);
    if (reads_as_symbol(values[i])) values[i] = RG_SIZE_UNKNOWN;
  }
  *count = elements;
  return values;
}

rango_status rg_infer_set_known(rg_infer *infer, int output, const int64_t *values, int64_t count) {
  if (output >= infer->output_count || !infer->outputs[output] || count > RG_KNOWN_MAX) return RANGO_OK;
  int64_t *copy;
  RG_TRY(rg_arena_calloc(infer->arena, (size_t)count + 1, sizeof *copy, RG_OUT(&copy)));
  for (int64_t i = 0; i < count; i++) copy[i] = values[i];
  infer->outputs[output]->known = copy;
  infer->outputs[output]->known_count = count;
  return RANGO_OK;
}

void rg_facts_free(rg_facts *facts) {
  if (!facts) return;
  rg_arena_free(facts->arena);
  rg_free(facts->items);
  rg_free(facts);
}

const rg_fact *rg_facts_of(const rg_facts *facts, const rg_value *value) { return &facts->items[value->id]; }
