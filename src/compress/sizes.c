/* A model's sizes for one row of data: parameters, multiplications, and what calibration keeps in memory. */
#include "compress/job.h"

/* Declares an input's sizes as the data has them, one row (or the fixed batch) of it. */
static rango_status declare_row(const rango_dataset *data, size_t i, rg_value *input) {
  const rg_shape *shape = &data->items[i].shape;
  rg_arena *arena = input->graph->model->arena;
  int64_t *dims = NULL;
  RG_TRY(rg_arena_alloc(arena, (size_t)(shape->rank + 1) * sizeof *dims, RG_OUT(&dims)));
  for (int axis = 0; axis < shape->rank; axis++) dims[axis] = shape->dims[axis];
  if (!data->constant[i]) dims[0] = rg_dataset_batch_rows(data, 1);
  input->type.rank = shape->rank;
  input->type.dims = dims;
  input->type.changed = true;
  return RANGO_OK;
}

/* A copy whose inputs are declared for one row. */
static rango_status copy_for_row(const rango_model *model, const rango_dataset *data, rango_model **out) {
  RG_TRY(rg_model_copy(model, out));
  rango_status status = RANGO_OK;
  const rg_value_list *inputs = &(*out)->graph->inputs;
  size_t next = 0;
  for (size_t i = 0; i < inputs->count && next < data->count && status == RANGO_OK; i++)
    if (!inputs->items[i]->constant) status = declare_row(data, next++, inputs->items[i]);
  if (status == RANGO_OK) return RANGO_OK;
  rango_model_free(*out);
  *out = NULL;
  return status;
}

rango_status rg_count_model(const rango_model *model, const rango_dataset *data, int64_t *params, int64_t *macs) {
  rango_model *copy = NULL;
  rango_analysis *analysis = NULL;
  rango_status status;
  RG_TRY_DONE(copy_for_row(model, data, &copy));
  RG_TRY_DONE(rango_analysis_create(copy, NULL, 0, &analysis));
  *params = rango_analysis_params(analysis);
  *macs = rango_analysis_macs(analysis);
  if (*macs < 0) *macs = 0;
  *macs /= rg_dataset_batch_rows(data, 1); /* a batch that the model fixes is not one row */
done:
  rango_analysis_free(analysis);
  rango_model_free(copy);
  return status;
}

/* Bytes of a value, 0 where its size isn't known before running. */
static int64_t value_bytes(const rg_facts *facts, const rg_value *value) {
  const rg_fact *fact = value ? rg_facts_of(facts, value) : NULL;
  rg_shape shape;
  int64_t count;
  size_t bytes;
  if (!fact || !rg_fact_is_concrete(fact) || rg_fact_shape(fact, &shape) != RANGO_OK) return 0;
  if (rg_shape_count(&shape, &count) != RANGO_OK || rg_type_bytes(fact->type, count, &bytes) != RANGO_OK) return 0;
  return (int64_t)bytes;
}

static rango_status cut_bytes(const rango_model *model, const rg_facts *facts, int place, int64_t *bytes) {
  int *ids;
  size_t count;
  RG_TRY(rg_cut_values(model, place, &ids, &count));
  *bytes = 0;
  for (size_t i = 0; i < count; i++) *bytes += value_bytes(facts, rg_find_value(model->graph, ids[i]));
  rg_free(ids);
  return RANGO_OK;
}

rango_status rg_measure_memory(const rango_model *model, const rango_dataset *data, const rg_sites *sites,
                               int64_t *inputs, int64_t *frontier, int64_t *outputs) {
  rango_model *copy = NULL;
  rg_facts *facts = NULL;
  int64_t rows = rg_dataset_batch_rows(data, 1);
  rango_status status;
  *inputs = *frontier = 0;
  RG_TRY_DONE(copy_for_row(model, data, &copy));
  RG_TRY_DONE(rg_facts_create(copy, NULL, 0, NULL, 0, &facts));
  for (size_t i = 0; i < sites->count; i++) {
    int64_t bytes;
    RG_TRY_DONE(cut_bytes(copy, facts, sites->items[i].begin, &bytes));
    if (bytes > *frontier) *frontier = bytes;
    *inputs += value_bytes(facts, rg_find_value(copy->graph, sites->items[i].input));
    if (outputs) outputs[i] = value_bytes(facts, rg_find_value(copy->graph, sites->items[i].output)) / rows;
  }
  *inputs = *inputs / rows + 1;
  *frontier = *frontier / rows + 1;
done:
  rg_facts_free(facts);
  rango_model_free(copy);
  return status;
}
