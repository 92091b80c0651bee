/* Constant nodes become initializers, and equal small ones of a graph become one. */
#include <string.h>

#include "passes/canonical/rewrite.h"

#define SHARED_MAX 4096 /* bytes compared; bigger ones are equal only if they are the same memory */

static rango_status absorb_node(rg_node *node, int *changes) {
  rg_value *value = node->output_count ? node->outputs[0] : NULL;
  if (!rg_node_is(node, "Constant") || !value || value->output_uses || !node->definition) return RANGO_OK;
  const rango_tensor *constant = rg_value_constant(value);
  rg_val result = {0};
  if (constant) {
    result.kind = RG_KIND_TENSOR;
    rg_tensor_init_view(&result.tensor, constant);
  } else { /* value_int, value_floats, ... */
    rango_status status = rg_op_evaluate(node, false, NULL, &result);
    if (status == RANGO_ERROR_MEMORY) return status;
  }
  if (result.kind == RG_KIND_TENSOR) {
    rg_node_remove(node);
    RG_TRY(rg_value_become_constant(value, &result.tensor));
    ++*changes;
  }
  rg_val_clear(&result);
  return RANGO_OK;
}

static rango_status visit_nodes(rg_graph *graph, void *argument) {
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    RG_TRY(absorb_node(node, argument));
  }
  return RANGO_OK;
}

static uint64_t mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9e3779b97f4a7c15u;
  return h ^ h >> 32;
}

static uint64_t hash_tensor(const rango_tensor *tensor) {
  uint64_t h = mix((uint64_t)tensor->type, tensor->bytes), word;
  const uint8_t *data = tensor->data;
  size_t i = 0;
  if (tensor->bytes > SHARED_MAX) return mix(h, (uint64_t)(uintptr_t)data);
  for (; i + sizeof word <= tensor->bytes; i += sizeof word) {
    memcpy(&word, data + i, sizeof word);
    h = mix(h, word);
  }
  for (; i < tensor->bytes; i++) h = mix(h, data[i]);
  return h;
}

static bool is_equal(const rango_tensor *a, const rango_tensor *b) {
  if (a->type != b->type || a->layout != b->layout || !rg_shape_equal(&a->shape, &b->shape)) return false;
  return a->data == b->data || (a->bytes <= SHARED_MAX && memcmp(a->data, b->data, a->bytes) == 0);
}

static bool is_mergeable(const rg_value *value) {
  return value->constant && !value->producer && !value->is_input && !value->output_uses && value->uses.count &&
         value->constant->type != RANGO_STRING && !value->sparse.bytes;
}

/* The first of equals stays. A table of `size` (a power of two) places, at most half full. */
static rango_status share(rg_graph *graph, rg_value **table, size_t size, int *changes) {
  for (size_t i = 0; i < graph->values.count; i++) {
    rg_value *value = graph->values.items[i];
    if (!is_mergeable(value)) continue;
    size_t at = hash_tensor(value->constant) & (size - 1);
    while (table[at] && !is_equal(table[at]->constant, value->constant)) at = (at + 1) & (size - 1);
    if (table[at]) {
      RG_TRY(rg_value_replace(value, table[at]));
      ++*changes;
    } else {
      table[at] = value;
    }
  }
  return RANGO_OK;
}

static rango_status visit_constants(rg_graph *graph, void *argument) {
  size_t count = 0, size = 2;
  for (size_t i = 0; i < graph->values.count; i++) count += is_mergeable(graph->values.items[i]);
  while (size < 2 * count) size *= 2;
  if (count < 2) return RANGO_OK;
  rg_value **table;
  RG_TRY(rg_calloc(size, sizeof *table, RG_OUT(&table)));
  rango_status status = share(graph, table, size, argument);
  rg_free(table);
  return status;
}

rango_status rg_pass_merge_constants(rango_model *model, int *changes) {
  RG_TRY(rg_model_visit_graphs(model, false, visit_nodes, changes));
  return rg_model_visit_graphs(model, false, visit_constants, changes);
}
