/* A model's life: made, held, released; its opsets, symbols and tensors; the way through its graphs. */
#include <stdatomic.h>
#include <string.h>

#include "graph/lists.h"
#include "graph/names.h"

rango_status rg_arena_list_reserve(rg_arena *arena, void **items, size_t *capacity, size_t count, size_t needed,
                                   size_t item_bytes) {
  if (needed <= *capacity) return RANGO_OK;
  size_t grown = *capacity ? *capacity * 2 : 4;
  if (grown < needed) grown = needed;
  void *bigger;
  RG_TRY(rg_arena_calloc(arena, grown, item_bytes, &bigger));
  if (count) memcpy(bigger, *items, count * item_bytes);
  *items = bigger;
  *capacity = grown;
  return RANGO_OK;
}

rango_status rg_model_create(rango_model **out) {
  *out = NULL;
  rango_model *model;
  RG_TRY(rg_calloc(1, sizeof *model, RG_OUT(&model)));
  atomic_init(&model->references, 1);
  model->path = model->producer_name = model->producer_version = "";
  rango_status status;
  RG_TRY_DONE(rg_arena_create(&model->arena));
  RG_TRY_DONE(rg_names_create(&model->names));
  RG_TRY_DONE(rg_graph_create(model, NULL, &model->graph));
  *out = model;
  return RANGO_OK;
done:
  rg_model_release(model);
  return status;
}

rango_model *rg_model_retain(rango_model *model) {
  atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
  return model;
}

void rg_model_release(rango_model *model) {
  if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1) return;
  void *runtime = atomic_load(&model->runtime);
  if (runtime && model->runtime_free) model->runtime_free(runtime);
  for (size_t i = 0; i < model->tensors.count; i++) rg_tensor_clear(model->tensors.items[i]);
  rg_free(model->tensors.items);
  rg_free(model->symbols.items);
  rg_free(atomic_load(&model->infos));
  rg_names_free(model->names);
  rg_arena_free(model->arena);
  rg_free(model);
}

void rango_model_free(rango_model *model) { rg_model_release(model); }

int64_t rg_model_opset(const rango_model *model, const char *domain) {
  if (strcmp(domain, "ai.onnx") == 0) domain = "";
  for (size_t i = 0; i < model->opset_count; i++) {
    const char *other = model->opsets[i].domain;
    if (strcmp(strcmp(other, "ai.onnx") == 0 ? "" : other, domain) == 0) return model->opsets[i].version;
  }
  return -1;
}

rango_status rg_model_symbol(rango_model *model, const char *name, int64_t *out) {
  /* Under the model itself as scope: the id, counted from 1 so that it isn't NULL. */
  uintptr_t found = (uintptr_t)rg_names_find(model->names, model, name);
  if (!found) {
    const char *copy;
    RG_FAIL_IF(model->symbols.count >= INT32_MAX, RANGO_ERROR_LIMIT, "the model has too many symbolic sizes");
    RG_TRY(rg_arena_strndup(model->arena, name, strlen(name), &copy));
    RG_TRY(RG_RESERVE(&model->symbols, 1));
    RG_TRY(rg_names_put(model->names, model, copy, (void *)(model->symbols.count + 1)));
    model->symbols.items[model->symbols.count++] = copy;
    found = model->symbols.count;
  }
  *out = RG_SIZE_SYMBOL((int64_t)found - 1);
  return RANGO_OK;
}

rango_status rg_model_add_tensor(rango_model *model, rango_tensor *tensor, rango_tensor **out) {
  *out = NULL;
  rango_tensor *kept;
  rango_status status = rg_arena_alloc(model->arena, sizeof *kept, RG_OUT(&kept));
  if (status == RANGO_OK) status = RG_RESERVE(&model->tensors, 1);
  if (status != RANGO_OK) {
    rg_tensor_clear(tensor);
    return status;
  }
  *kept = *tensor;
  memset(tensor, 0, sizeof *tensor);
  model->tensors.items[model->tensors.count++] = kept;
  *out = kept;
  return RANGO_OK;
}

/* Depth is bounded by rg_graph_create. The next node is taken first: visiting may remove the node it came from. */
static rango_status visit_graph(rg_graph *graph, rango_status (*visit)(rg_graph *graph, void *argument),
                                void *argument) {
  RG_TRY(visit(graph, argument));
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
      if (attr->kind == RG_ATTR_GRAPH && attr->graph) RG_TRY(visit_graph(attr->graph, visit, argument));
      for (size_t i = 0; attr->kind == RG_ATTR_GRAPHS && i < attr->count; i++)
        RG_TRY(visit_graph(attr->graphs[i], visit, argument));
    }
  }
  return RANGO_OK;
}

rango_status rg_model_visit_graphs(rango_model *model, bool functions,
                                   rango_status (*visit)(rg_graph *graph, void *argument), void *argument) {
  RG_TRY(visit_graph(model->graph, visit, argument));
  for (size_t i = 0; functions && i < model->function_count; i++)
    if (model->functions[i].body) RG_TRY(visit_graph(model->functions[i].body, visit, argument));
  return RANGO_OK;
}
