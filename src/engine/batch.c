/*
 * Large batches in pieces: where a batch's activations don't fit the last-level cache and every row of it is computed
 * apart, the network runs a few rows at a time, so that layers find in the cache what the layer before has written. It
 * takes less memory, too.
 */
#include <string.h>

#include "base/cpu_features.h"
#include "engine/session.h"
#include "ops/support.h"

/* Where the CPU tells no last-level cache. */
#define CACHE_BYTES_USUAL ((size_t)8 << 20)

/* How an operator treats axis 0 of its inputs. */
typedef enum keeping {
  KEEP_FIRST,       /* input 0 has the rows, the others are weights; from input 3 on a residual may have them too */
  KEEP_ELEMENTWISE, /* broadcast */
  KEEP_CONCAT,
  KEEP_TRANSPOSE,
  KEEP_SOFTMAX,
  KEEP_FLATTEN,
  KEEP_RESHAPE,
} keeping;

static const struct {
  const char *op;
  keeping how;
} keepers[] = {
    {"Conv", KEEP_FIRST},
    {"LowRankConv", KEEP_FIRST},
    {"Dense", KEEP_FIRST},
    {"LowRankDense", KEEP_FIRST},
    {"Activation", KEEP_FIRST},
    {"Layout", KEEP_FIRST},
    {"MaxPool", KEEP_FIRST},
    {"AveragePool", KEEP_FIRST},
    {"GlobalAveragePool", KEEP_FIRST},
    {"GlobalMaxPool", KEEP_FIRST},
    {"BatchNormalization", KEEP_FIRST},
    {"Cast", KEEP_FIRST},
    {"Clip", KEEP_FIRST},
    {"Relu", KEEP_FIRST},
    {"LeakyRelu", KEEP_FIRST},
    {"Sigmoid", KEEP_FIRST},
    {"Tanh", KEEP_FIRST},
    {"Flatten", KEEP_FLATTEN},
    {"Reshape", KEEP_RESHAPE},
    {"Add", KEEP_ELEMENTWISE},
    {"Sub", KEEP_ELEMENTWISE},
    {"Mul", KEEP_ELEMENTWISE},
    {"Div", KEEP_ELEMENTWISE},
    {"Elementwise", KEEP_ELEMENTWISE},
    {"Concat", KEEP_CONCAT},
    {"Transpose", KEEP_TRANSPOSE},
    {"Softmax", KEEP_SOFTMAX},
};

typedef struct check {
  const rg_plan *plan;
  bool *rows; /* by value id: axis 0 is the batch */
  int64_t count;
} check;

/* A value's shape; NULL where the plan doesn't know it. */
static const rg_shape *shape_of(const check *c, const rg_value *value) {
  const rango_tensor *constant = rg_value_constant(value);
  if (constant != NULL) return &constant->shape;
  const int slot = c->plan->slot_of[value->id];
  return slot >= 0 && c->plan->slots[slot].planned && c->plan->slots[slot].val.kind == RG_KIND_TENSOR
             ? &c->plan->slots[slot].val.tensor.shape
             : NULL;
}

static bool has_rows(const check *c, const rg_value *value) {
  const rg_shape *shape = shape_of(c, value);
  return shape != NULL && shape->rank > 1 && shape->dims[0] == c->count;
}

static bool first_keeps(const check *c, const rg_node *node) {
  if (node->input_count == 0 || node->inputs[0] == NULL || !c->rows[node->inputs[0]->id]) return false;
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i] != NULL && c->rows[node->inputs[i]->id] && i < 3) return false;
  return true;
}

static bool elementwise_keeps(const check *c, const rg_node *node) {
  const rg_shape *y = shape_of(c, node->outputs[0]);
  for (int i = 0; i < node->input_count; i++) {
    const rg_shape *x = shape_of(c, node->inputs[i]);
    if (x == NULL) return false;
    if (c->rows[node->inputs[i]->id] ? x->rank != y->rank : x->rank == y->rank && x->dims[0] != 1) return false;
  }
  return true;
}

static bool axis_keeps(const check *c, const rg_node *node, int64_t fallback) {
  int axis;
  return rg_axis(rg_node_int(node, "axis", fallback), shape_of(c, node->outputs[0])->rank, &axis) && axis != 0;
}

static bool concat_keeps(const check *c, const rg_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] == NULL || !c->rows[node->inputs[i]->id]) return false;
  return axis_keeps(c, node, 0);
}

/* The new shape takes its first size from what comes: 0 or -1. */
static bool reshape_keeps(const check *c, const rg_node *node) {
  const rango_tensor *shape =
      node->input_count > 1 && node->inputs[1] != NULL ? rg_value_constant(node->inputs[1]) : NULL;
  if (shape == NULL || rango_tensor_count(shape) == 0 || !first_keeps(c, node)) return false;
  const int64_t first = rg_tensor_get_i64(shape, 0);
  return first == -1 || (first == 0 && rg_node_int(node, "allowzero", 0) == 0);
}

static bool node_keeps(const check *c, const rg_node *node) {
  size_t count;
  for (size_t i = 0; i < sizeof keepers / sizeof *keepers; i++) {
    if (strcmp(keepers[i].op, node->op) != 0) continue;
    switch (keepers[i].how) {
    case KEEP_FIRST:
      return first_keeps(c, node);
    case KEEP_ELEMENTWISE:
      return elementwise_keeps(c, node);
    case KEEP_CONCAT:
      return concat_keeps(c, node);
    case KEEP_TRANSPOSE: {
      const int64_t *order = rg_node_ints(node, "perm", &count);
      return order != NULL && count > 0 && order[0] == 0;
    }
    case KEEP_SOFTMAX:
      return axis_keeps(c, node, node->version < 13 ? 1 : -1);
    case KEEP_FLATTEN:
      return rg_node_int(node, "axis", 1) == 1;
    case KEEP_RESHAPE:
      return reshape_keeps(c, node);
    }
  }
  return false;
}

/* Whether each row of the graph's outputs follows from the same row of its inputs alone. */
static bool rows_are_apart(const check *c) {
  const rg_graph *graph = c->plan->graph;
  for (size_t i = 0; i < graph->inputs.count; i++) {
    const rg_type_info *declared = &graph->inputs.items[i]->type;
    if (!has_rows(c, graph->inputs.items[i]) || declared->rank < 1 || rg_size_is_known(declared->dims[0])) return false;
    c->rows[graph->inputs.items[i]->id] = true;
  }
  for (const rg_node *node = graph->first; node != NULL; node = node->next) {
    bool any = false;
    for (int i = 0; i < node->input_count; i++) any = any || (node->inputs[i] != NULL && c->rows[node->inputs[i]->id]);
    if (!any) continue;
    if (node->output_count != 1 || node->outputs[0] == NULL || !has_rows(c, node->outputs[0]) || !node_keeps(c, node))
      return false;
    c->rows[node->outputs[0]->id] = true;
  }
  for (size_t i = 0; i < graph->outputs.count; i++)
    if (!c->rows[graph->outputs.items[i]->id]) return false;
  return graph->inputs.count > 0;
}

/* Rows of a piece; all of them where pieces don't pay. Each piece reads the weights again. */
static int64_t piece_of(const rango_session *session, const rg_plan *plan, int64_t rows) {
  const size_t l3 = rg_cpu_features()->l3_bytes, room = l3 > 0 ? l3 / 2 : CACHE_BYTES_USUAL;
  if (plan->arena_bytes <= room) return rows;
  const double each = (double)plan->arena_bytes / (double)rows;
  const double least = (double)rg_packed_cache_bytes(session->packed) / each;
  const double most = (double)room / each > least ? (double)room / each : least;
  if (most >= (double)rows) return rows;
  const int64_t piece = most > 1.0 ? (int64_t)most : 1, pieces = (rows + piece - 1) / piece;
  return (rows + pieces - 1) / pieces;
}

static rango_status decide(rango_session *session, rg_plan *plan) {
  const rg_shape *first = &session->inputs[0].tensor.shape;
  plan->piece_rows = first->rank > 0 ? first->dims[0] : 1;
  if (session->kernels == NULL || plan->gpu || first->rank == 0 || first->dims[0] < 2) return RANGO_OK;
  const int64_t piece = piece_of(session, plan, first->dims[0]);
  if (piece == first->dims[0]) return RANGO_OK;
  check c = {.plan = plan, .count = first->dims[0]};
  RG_TRY(rg_calloc((size_t)session->program->model->value_count + 1, sizeof *c.rows, RG_OUT(&c.rows)));
  if (rows_are_apart(&c)) plan->piece_rows = piece;
  rg_free(c.rows);
  return RANGO_OK;
}

/* Rows [begin, begin + count) of a tensor. */
static rg_val piece_val(const rango_tensor *whole, int64_t begin, int64_t count) {
  const size_t row = whole->bytes / (size_t)whole->shape.dims[0];
  rg_shape shape = whole->shape;
  rg_val val = {.kind = RG_KIND_TENSOR};
  shape.dims[0] = count;
  rg_tensor_init_borrowed(&val.tensor, whole->type, &shape, (uint8_t *)whole->data + (size_t)begin * row,
                          (size_t)count * row);
  return val;
}

static rango_status run_piece(rango_session *session, int64_t begin, int64_t count) {
  const rg_graph *graph = session->program->model->graph;
  for (size_t i = 0; i < graph->inputs.count; i++)
    session->piece_inputs[i] = piece_val(&session->inputs[i].tensor, begin, count);
  for (size_t i = 0; i < graph->outputs.count; i++)
    session->piece_outputs[i] = piece_val(&session->outputs[i].tensor, begin, count);
  return rg_run_graph(session, NULL, session->main, session->piece_list, session->piece_outputs);
}

rango_status rg_batch_run(rango_session *session) {
  const rg_graph *graph = session->program->model->graph;
  rg_plan *plan;
  for (size_t i = 0; i < graph->inputs.count; i++) session->main->values[i] = session->input_list[i];
  RG_TRY(rg_runner_plan(session, session->main, &plan));
  if (plan->piece_rows == 0) RG_TRY(decide(session, plan));
  const int64_t rows =
      graph->inputs.count > 0 && session->inputs[0].tensor.shape.rank > 0 ? session->inputs[0].tensor.shape.dims[0] : 1;
  const int64_t piece = plan->piece_rows;
  if (piece >= rows) return rg_run_main(session, plan, session->outputs);
  RG_TRY(rg_run_open_outputs(plan, true, session->outputs));
  for (int64_t begin = 0; begin < rows; begin += piece)
    RG_TRY(run_piece(session, begin, piece < rows - begin ? piece : rows - begin));
  return RANGO_OK;
}
