/* Values at run time: nothing, a tensor, or a sequence of values. */
#include <string.h>

#include "tensor/tensor.h"

#define SEQUENCE_DEPTH_MAX 16 /* sequences of sequences of ... */

void rg_val_clear(rg_val *val) {
  if (!val) return;
  rg_tensor_clear(&val->tensor);
  for (size_t i = 0; i < val->count; i++) rg_val_clear(&val->items[i]);
  rg_free(val->items);
  memset(val, 0, sizeof *val);
}

static rango_status view_at(rg_val *to, const rg_val *from, int depth) {
  memset(to, 0, sizeof *to);
  RG_FAIL_IF(depth > SEQUENCE_DEPTH_MAX, RANGO_ERROR_LIMIT, "sequences are nested more than %d deep",
             SEQUENCE_DEPTH_MAX);
  to->kind = from->kind;
  if (from->kind == RG_KIND_TENSOR) {
    if (!from->tensor.buffer) return rg_tensor_copy(&to->tensor, &from->tensor);
    rg_tensor_init_view(&to->tensor, &from->tensor);
  } else if (from->kind == RG_KIND_SEQUENCE) {
    RG_TRY(rg_calloc(from->count, sizeof *to->items, RG_OUT(&to->items)));
    to->count = from->count; /* zeroed ones included, so that all is cleared when one fails */
    for (size_t i = 0; i < from->count; i++) RG_TRY(view_at(&to->items[i], &from->items[i], depth + 1));
  }
  return RANGO_OK;
}

rango_status rg_val_view(rg_val *to, const rg_val *from) {
  rango_status status = view_at(to, from, 0);
  if (status != RANGO_OK) rg_val_clear(to);
  return status;
}
