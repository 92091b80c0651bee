/* Constants at addresses that their elements can be read from. */
#include "graph/graph.h"

bool rg_tensor_is_aligned(const rango_tensor *tensor) {
  return tensor->type != RANGO_FLOAT32 || (uintptr_t)tensor->data % sizeof(float) == 0;
}

/* In place: whoever holds the tensor sees the copy. The file's pages have done their work. */
static rango_status align_tensor(rango_tensor *tensor) {
  rango_tensor copy;
  if (rg_tensor_is_aligned(tensor)) return RANGO_OK;
  RG_TRY(rg_tensor_copy(&copy, tensor));
  rg_buffer_forget_pages(tensor->buffer, tensor->data, tensor->bytes);
  rg_tensor_clear(tensor);
  *tensor = copy;
  return RANGO_OK;
}

typedef struct aligning {
  bool (*keep)(const rg_value *value);
} aligning;

static rango_status align_graph(rg_graph *graph, void *argument) {
  const aligning *a = argument;
  for (size_t i = 0; i < graph->values.count; i++) {
    const rg_value *value = graph->values.items[i];
    if (value->constant && (!a->keep || !a->keep(value))) RG_TRY(align_tensor(value->constant));
  }
  for (rg_node *node = graph->first; node; node = node->next)
    for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
      if (attr->kind == RG_ATTR_TENSOR && attr->tensor) RG_TRY(align_tensor(attr->tensor));
      for (size_t i = 0; attr->kind == RG_ATTR_TENSORS && i < attr->count; i++) RG_TRY(align_tensor(attr->tensors[i]));
    }
  return RANGO_OK;
}

rango_status rg_model_align_constants(rango_model *model, bool (*keep)(const rg_value *value)) {
  aligning a = {keep};
  return rg_model_visit_graphs(model, true, align_graph, &a);
}
