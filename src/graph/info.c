/* What rango.h tells about a model: inputs, outputs, metadata. The answers are made on the first question and published
 * with one exchange, because a loaded model may be asked by many threads. */
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "graph/graph.h"

typedef struct infos {
  size_t input_count, output_count;
  rango_value_info *items; /* inputs, then outputs; all in one block with what they point at */
} infos;

static bool is_asked_for(const rg_value *value) { return !value->constant; }

size_t rango_model_input_count(const rango_model *model) {
  size_t count = 0;
  if (!model) return 0;
  for (size_t i = 0; i < model->graph->inputs.count; i++) count += is_asked_for(model->graph->inputs.items[i]);
  return count;
}

size_t rango_model_output_count(const rango_model *model) { return model ? model->graph->outputs.count : 0; }

static size_t rank_of(const rg_value *value) {
  return value->type.kind == RG_KIND_TENSOR && value->type.rank > 0 ? (size_t)value->type.rank : 0;
}

/* Fills one answer, taking its arrays from *dims and *symbols. */
static void describe(const rango_model *model, const rg_value *value, rango_value_info *info, int64_t **dims,
                     const char ***symbols) {
  bool tensor = value->type.kind == RG_KIND_TENSOR;
  size_t rank = rank_of(value);
  *info = (rango_value_info){.name = value->name,
                             .type = tensor ? value->type.type : RANGO_UNDEFINED,
                             .rank = tensor ? value->type.rank : -1,
                             .dims = *dims,
                             .symbols = *symbols};
  for (size_t i = 0; i < rank; i++) {
    int64_t size = value->type.dims[i];
    (*dims)[i] = rg_size_is_known(size) ? size : -1;
    bool named = rg_size_is_symbol(size) && (size_t)rg_size_symbol_id(size) < model->symbols.count;
    (*symbols)[i] = named ? model->symbols.items[rg_size_symbol_id(size)] : NULL;
  }
  *dims += rank;
  *symbols += rank;
}

static rango_status make_infos(const rango_model *model, infos **out) {
  const rg_value_list *inputs = &model->graph->inputs, *outputs = &model->graph->outputs;
  size_t count = inputs->count + outputs->count, axes = 0, items_bytes, axes_bytes, bytes;
  for (size_t i = 0; i < inputs->count; i++) axes += rank_of(inputs->items[i]);
  for (size_t i = 0; i < outputs->count; i++) axes += rank_of(outputs->items[i]);
  bool fits = rg_mul_size(count, sizeof(rango_value_info), &items_bytes) &&
              rg_mul_size(axes, sizeof(int64_t) + sizeof(char *), &axes_bytes) &&
              rg_add_size(items_bytes, axes_bytes, &bytes) && rg_add_size(bytes, sizeof(infos), &bytes);
  RG_FAIL_IF(!fits, RANGO_ERROR_MEMORY, "out of memory: too many inputs and outputs");
  infos *all;
  RG_TRY(rg_alloc(bytes, RG_OUT(&all)));
  *all = (infos){.items = (rango_value_info *)(all + 1)};
  int64_t *dims = (int64_t *)(all->items + count);
  const char **symbols = (const char **)(dims + axes);
  for (size_t i = 0; i < inputs->count; i++)
    if (is_asked_for(inputs->items[i]))
      describe(model, inputs->items[i], &all->items[all->input_count++], &dims, &symbols);
  for (size_t i = 0; i < outputs->count; i++)
    describe(model, outputs->items[i], &all->items[all->input_count + all->output_count++], &dims, &symbols);
  *out = all;
  return RANGO_OK;
}

static rango_status get_infos(const rango_model *model, const infos **out) {
  void *_Atomic *kept = (void *_Atomic *)&model->infos; /* a cache, outside of what const promises */
  infos *all = atomic_load(kept);
  if (!all) {
    RG_TRY(make_infos(model, &all));
    void *other = NULL;
    if (!atomic_compare_exchange_strong(kept, &other, all)) { /* another thread was first */
      rg_free(all);
      all = other;
    }
  }
  *out = all;
  return RANGO_OK;
}

rango_status rango_model_input(const rango_model *model, size_t index, rango_value_info *out) {
  RG_FAIL_IF(!model || !out, RANGO_ERROR_ARGUMENT, "rango_model_input: NULL given");
  const infos *all;
  RG_TRY(get_infos(model, &all));
  RG_FAIL_IF(index >= all->input_count, RANGO_ERROR_ARGUMENT,
             "rango_model_input: the model has %zu inputs, no number %zu", all->input_count, index);
  *out = all->items[index];
  return RANGO_OK;
}

rango_status rango_model_output(const rango_model *model, size_t index, rango_value_info *out) {
  RG_FAIL_IF(!model || !out, RANGO_ERROR_ARGUMENT, "rango_model_output: NULL given");
  const infos *all;
  RG_TRY(get_infos(model, &all));
  RG_FAIL_IF(index >= all->output_count, RANGO_ERROR_ARGUMENT,
             "rango_model_output: the model has %zu outputs, no number %zu", all->output_count, index);
  *out = all->items[all->input_count + index];
  return RANGO_OK;
}

const char *rango_model_metadata(const rango_model *model, const char *key) {
  for (size_t i = 0; model && key && i < model->property_count; i++)
    if (strcmp(model->properties[i].key, key) == 0) return model->properties[i].value;
  return NULL;
}
