/* Parts of a model, and the values that cross a cut between them, kept for all batches: so that fitting one layer after
 * the other runs the network once, not once a layer. */
#include <string.h>

#include "compress/compress.h"

int rg_model_places(const rango_model *model) {
  int places = 0;
  for (const rg_node *node = model->graph->first; node; node = node->next) places++;
  return places;
}

/* The place of every main-graph node by node id; -1 for nodes of subgraphs. */
static rango_status node_places(const rango_model *model, int **out) {
  RG_TRY(rg_alloc((size_t)model->node_count * sizeof **out, RG_OUT(out)));
  for (int i = 0; i < model->node_count; i++) (*out)[i] = -1;
  int place = 0;
  for (const rg_node *node = model->graph->first; node; node = node->next) (*out)[node->id] = place++;
  return RANGO_OK;
}

/* The place of the main-graph node that `node` is, or lies inside of; -1 for a node that was removed. */
static int outer_place(const rango_model *model, const int *places, const rg_node *node) {
  while (node && node->graph != model->graph) node = node->graph->owner;
  return node ? places[node->id] : -1;
}

static int last_use(const rango_model *model, const int *places, const rg_value *value) {
  int last = value->output_uses ? model->node_count : -1;
  for (size_t i = 0; i < value->uses.count; i++) {
    int place = outer_place(model, places, value->uses.items[i].node);
    if (place > last) last = place;
  }
  return last;
}

/* Where a value comes from: -1 for the graph's inputs; -2 when it isn't computed at all (constants, removed values). */
static int made_at(const int *places, const rg_value *value) {
  if (rg_value_constant(value)) return -2;
  if (value->producer) return places[value->producer->id];
  return value->is_input ? -1 : -2;
}

rango_status rg_cut_values(const rango_model *model, int place, int **ids, size_t *count) {
  const rg_value_list *values = &model->graph->values;
  int *places = NULL;
  *ids = NULL;
  *count = 0;
  rango_status status;
  RG_TRY_DONE(node_places(model, &places));
  RG_TRY_DONE(rg_alloc(values->count * sizeof **ids, RG_OUT(ids)));
  for (size_t i = 0; i < values->count; i++) {
    const rg_value *value = values->items[i];
    int made = made_at(places, value);
    if (made == -2 || made >= place || last_use(model, places, value) < place) continue;
    (*ids)[(*count)++] = value->id;
  }
done:
  rg_free(places);
  return status;
}

rg_value *rg_find_value(const rg_graph *graph, int id) {
  for (size_t i = 0; i < graph->values.count; i++)
    if (graph->values.items[i]->id == id) return graph->values.items[i];
  return NULL;
}

static bool has_id(const int *ids, size_t count, int id) {
  for (size_t i = 0; i < count; i++)
    if (ids[i] == id) return true;
  return false;
}

void rg_segment_free(rg_segment *segment) {
  rg_model_release(segment->model);
  rg_free(segment->inputs);
  rg_free(segment->outputs);
  *segment = (rg_segment){0};
}

/* Inputs: what crosses the cut at `begin` and is used before `end`. Outputs: what crosses the cut at `end` and is made
 * in between. */
static rango_status find_borders(const rango_model *model, int begin, int end, rg_segment *segment) {
  int *before = NULL, *after = NULL, *places = NULL;
  size_t before_count, after_count;
  rango_status status;
  RG_TRY_DONE(node_places(model, &places));
  RG_TRY_DONE(rg_cut_values(model, begin, &before, &before_count));
  RG_TRY_DONE(rg_cut_values(model, end, &after, &after_count));
  RG_TRY_DONE(rg_alloc(before_count * sizeof(int), RG_OUT(&segment->inputs)));
  RG_TRY_DONE(rg_alloc(after_count * sizeof(int), RG_OUT(&segment->outputs)));
  for (size_t i = 0; i < before_count; i++) {
    const rg_value *value = rg_find_value(model->graph, before[i]);
    bool used = false;
    for (size_t j = 0; j < value->uses.count && !used; j++) {
      int place = outer_place(model, places, value->uses.items[j].node);
      used = place >= begin && place < end;
    }
    if (used) segment->inputs[segment->input_count++] = before[i];
  }
  for (size_t i = 0; i < after_count; i++)
    if (!has_id(before, before_count, after[i])) segment->outputs[segment->output_count++] = after[i];
done:
  rg_free(before);
  rg_free(after);
  rg_free(places);
  return status;
}

/* The model's own order of outputs, for the last segment. */
static void order_outputs(const rango_model *model, rg_segment *segment) {
  size_t next = 0;
  for (size_t i = 0; i < model->graph->outputs.count; i++) {
    int id = model->graph->outputs.items[i]->id;
    for (size_t j = next; j < segment->output_count; j++) {
      if (segment->outputs[j] != id) continue;
      segment->outputs[j] = segment->outputs[next];
      segment->outputs[next++] = id;
    }
  }
}

static rango_status cut_out(rango_model *copy, int begin, int end, const rg_segment *segment) {
  rg_graph *graph = copy->graph;
  int place = 0;
  for (rg_node *node = graph->first, *next; node; node = next, place++) {
    next = node->next;
    if (place < begin || place >= end) rg_node_remove(node);
  }
  while (graph->inputs.count) graph->inputs.items[--graph->inputs.count]->is_input = false;
  while (graph->outputs.count) graph->outputs.items[--graph->outputs.count]->output_uses--;
  for (size_t i = 0; i < segment->input_count; i++)
    RG_TRY(rg_graph_add_input(graph, rg_find_value(graph, segment->inputs[i])));
  for (size_t i = 0; i < segment->output_count; i++)
    RG_TRY(rg_graph_add_output(graph, rg_find_value(graph, segment->outputs[i])));
  return RANGO_OK;
}

rango_status rg_segment_create(const rango_model *model, int begin, int end, const rg_sites *sites,
                               const rg_factors *factors, rg_segment *out) {
  int changes = 0;
  *out = (rg_segment){0};
  rango_status status;
  RG_TRY_DONE(find_borders(model, begin, end, out));
  order_outputs(model, out);
  RG_TRY_DONE(rg_model_copy(model, &out->model));
  RG_TRY_DONE(cut_out(out->model, begin, end, out));
  for (size_t i = 0; factors && i < sites->count; i++)
    if (sites->items[i].begin >= begin && sites->items[i].end <= end)
      RG_TRY_DONE(rg_rewrite_site(out->model, &sites->items[i], &factors[i]));
  RG_TRY_DONE(rg_ops_resolve(out->model, false));
  RG_TRY_DONE(rg_pass_remove_dead(out->model, &changes));
done:
  if (status != RANGO_OK) rg_segment_free(out);
  return status;
}

rango_status rg_segment_declare(rg_segment *segment, size_t input, const rango_tensor *tensor) {
  rg_value *value = segment->model->graph->inputs.items[input];
  int64_t *dims = NULL;
  RG_TRY(rg_arena_alloc(segment->model->arena, (size_t)tensor->shape.rank * sizeof *dims, RG_OUT(&dims)));
  for (int i = 0; i < tensor->shape.rank; i++) dims[i] = RG_SIZE_UNKNOWN;
  value->type = (rg_type_info){
      .kind = RG_KIND_TENSOR, .type = tensor->type, .rank = tensor->shape.rank, .dims = dims, .changed = true};
  return RANGO_OK;
}

/* ---- frontiers ---- */

void rg_frontier_free(rg_frontier *frontier) {
  if (frontier->tensors) rg_tensors_free(frontier->tensors, (size_t)frontier->batches * frontier->count);
  rg_free(frontier->tensors);
  rg_free(frontier->ids);
  *frontier = (rg_frontier){0};
}

rango_tensor *rg_frontier_value(const rg_frontier *frontier, int64_t batch, int id) {
  for (size_t i = 0; i < frontier->count; i++)
    if (frontier->ids[i] == id) return frontier->tensors[(size_t)batch * frontier->count + i];
  return NULL;
}

rango_status rg_frontier_start(const rango_model *model, const rg_calibration *calibration, rg_frontier *out) {
  const rango_dataset *data = calibration->data;
  *out = (rg_frontier){.count = data->count, .batches = calibration->batches};
  rango_status status;
  RG_TRY_DONE(rg_alloc(data->count * sizeof(int), RG_OUT(&out->ids)));
  RG_TRY_DONE(rg_calloc((size_t)out->batches * out->count, sizeof(rango_tensor *), RG_OUT(&out->tensors)));
  size_t next = 0;
  for (size_t i = 0; i < model->graph->inputs.count && next < out->count; i++)
    if (!model->graph->inputs.items[i]->constant) out->ids[next++] = model->graph->inputs.items[i]->id;
  for (int64_t batch = 0; batch < out->batches; batch++) {
    int64_t begin = batch * calibration->batch, end = begin + calibration->batch;
    RG_TRY_DONE(rango_dataset_batch(data, begin, end < data->rows ? end : data->rows,
                                    out->tensors + (size_t)batch * out->count, out->count));
  }
done:
  if (status != RANGO_OK) rg_frontier_free(out);
  return status;
}

/* Values of the new cut for one batch: computed ones from `outputs`, the others move over from the old frontier. */
static void collect(rg_frontier *old, int64_t batch, const rg_segment *segment, rango_tensor **outputs,
                    rg_frontier *to) {
  for (size_t i = 0; i < to->count; i++) {
    rango_tensor **slot = to->tensors + (size_t)batch * to->count + i;
    for (size_t j = 0; j < segment->output_count; j++)
      if (segment->outputs[j] == to->ids[i]) {
        *slot = outputs[j];
        outputs[j] = NULL;
      }
    for (size_t j = 0; j < old->count && !*slot; j++)
      if (old->ids[j] == to->ids[i]) {
        *slot = old->tensors[(size_t)batch * old->count + j];
        old->tensors[(size_t)batch * old->count + j] = NULL;
      }
  }
  rg_tensors_free(old->tensors + (size_t)batch * old->count, old->count);
}

static rango_status run_segment(rg_frontier *frontier, rg_segment *segment, const rango_session_options *options,
                                rg_frontier *to) {
  rango_session *session = NULL;
  const rango_tensor **inputs = NULL;
  rango_tensor **outputs = NULL;
  rango_status status;
  for (size_t i = 0; i < segment->input_count; i++)
    RG_TRY(rg_segment_declare(segment, i, rg_frontier_value(frontier, 0, segment->inputs[i])));
  RG_TRY_DONE(rg_calloc(segment->input_count + 1, sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc(segment->output_count + 1, sizeof *outputs, RG_OUT(&outputs)));
  if (segment->output_count) RG_TRY_DONE(rango_session_create(segment->model, options, &session));
  for (int64_t batch = 0; batch < frontier->batches; batch++) {
    for (size_t i = 0; i < segment->input_count; i++)
      inputs[i] = rg_frontier_value(frontier, batch, segment->inputs[i]);
    if (session) RG_TRY_DONE(rango_session_run(session, inputs, segment->input_count, outputs, segment->output_count));
    collect(frontier, batch, segment, outputs, to);
    rg_tensors_free(outputs, segment->output_count);
  }
done:
  if (outputs) rg_tensors_free(outputs, segment->output_count);
  rg_free(inputs);
  rg_free(outputs);
  rango_session_free(session);
  return status;
}

rango_status rg_frontier_advance(rg_frontier *frontier, const rango_model *model, int place, const rg_sites *sites,
                                 const rg_factors *factors, const rango_session_options *session) {
  if (place == frontier->place) return RANGO_OK;
  rg_segment segment;
  rg_frontier to = {.place = place, .batches = frontier->batches};
  RG_TRY(rg_segment_create(model, frontier->place, place, sites, factors, &segment));
  rango_status status;
  RG_TRY_DONE(rg_cut_values(model, place, &to.ids, &to.count));
  RG_TRY_DONE(rg_calloc((size_t)to.batches * to.count + 1, sizeof(rango_tensor *), RG_OUT(&to.tensors)));
  RG_TRY_DONE(run_segment(frontier, &segment, session, &to));
  rg_frontier_free(frontier);
  *frontier = to;
  to = (rg_frontier){0};
done:
  rg_frontier_free(&to);
  rg_segment_free(&segment);
  return status;
}
