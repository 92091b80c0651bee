/*
 * Layouts: which values lie channels-last, and rango.Layout where a value is needed in the other one.
 *
 * Every node that runs in either layout is put on one of two sides; convolutions and pools are on the channels-last
 * side, everything else on the row-major side. A value whose maker and user are on different sides has to be
 * transposed, once, for all such users. The sides that transpose the fewest bytes are a minimum cut.
 */
#include "base/checked.h"
#include "cpu/cpu.h"
#include "passes/lower/lower.h"
#include "passes/lower/min_cut.h"
#include "passes/row.h"

#define LAST          0     /* the source: channels-last */
#define ROWS          1     /* the sink: row-major */
#define EITHER        (-1)  /* takes the value as it comes */
#define FEW_CHANNELS  4     /* a convolution gathers windows over so few from either layout */
#define NOMINAL_SIZE  16    /* stands for a size that isn't known */
#define MOST_VERTICES 20000 /* beyond, everything stays row-major */

typedef struct pass {
  rg_graph *graph;
  const rg_facts *facts;
  rg_cut cut;
  int *vertex; /* [node_count] by node id: LAST, ROWS, or the node's own vertex */
  bool *last;  /* [vertices] */
} pass;

/* ---- what nodes ask for ---- */

static int rank_of(const pass *p, const rg_value *value) { return rg_facts_of(p->facts, value)->rank; }

int rg_channel_transpose(const rg_node *node) {
  size_t count;
  const int64_t *perm = rg_node_is(node, "Transpose") ? rg_node_ints(node, "perm", &count) : NULL;
  if (!perm || count < 3 || perm[0] != 0) return 0;
  bool to_last = perm[count - 1] == 1, from_last = perm[1] == (int64_t)count - 1;
  for (size_t i = 1; i + 1 < count; i++) {
    to_last = to_last && perm[i] == (int64_t)i + 1;
    from_last = from_last && perm[i + 1] == (int64_t)i;
  }
  return to_last ? 1 : from_last ? -1 : 0;
}

static bool is_convolution(const rg_node *node) {
  return rg_lower_is_private(node, "Conv") || rg_lower_is_private(node, "LowRankConv") || rg_node_is(node, "Conv") ||
         rg_node_is(node, "ConvTranspose");
}

/* The side that input `index` is wanted on. */
static int input_side(const pass *p, const rg_node *node, int index) {
  const rg_value *value = node->inputs[index];
  int side = p->vertex[node->id];
  if (rg_channel_transpose(node) > 0) return LAST;
  if (side == ROWS || rg_value_constant(value)) return ROWS;
  if (is_convolution(node)) {
    const rg_fact *x = rg_facts_of(p->facts, value);
    bool residual =
        (rg_lower_is_private(node, "Conv") && index == 3) || (rg_lower_is_private(node, "LowRankConv") && index == 5);
    if (index != 0 && !residual) return ROWS;
    bool few = index == 0 && rg_size_is_known(x->dims[1]) && x->dims[1] <= FEW_CHANNELS;
    return few && !rg_node_is(node, "ConvTranspose") ? EITHER : LAST;
  }
  return rank_of(p, value) >= 3 && rank_of(p, value) == rank_of(p, node->outputs[0]) ? side : ROWS;
}

/* The side that output `index` is made on. */
static int output_side(const pass *p, const rg_node *node, int index) {
  if (rg_channel_transpose(node) < 0) return LAST;
  int side = p->vertex[node->id];
  return rank_of(p, node->outputs[index]) >= 3 ? side : ROWS;
}

static rango_status choose_vertices(pass *p) {
  int unused;
  RG_TRY(rg_cut_add_vertex(&p->cut, &unused)); /* LAST */
  RG_TRY(rg_cut_add_vertex(&p->cut, &unused)); /* ROWS */
  for (const rg_node *node = p->graph->first; node; node = node->next) {
    rg_layout_support support = rg_cpu_layout_support(node, p->facts);
    int *vertex = &p->vertex[node->id];
    *vertex = support == RG_LAYOUT_LAST ? LAST : ROWS;
    if (support == RG_LAYOUT_ANY) RG_TRY(rg_cut_add_vertex(&p->cut, vertex));
  }
  return RANGO_OK;
}

/* ---- the cut ---- */

/* What transposing the value costs: its elements. Nothing where both layouts are one order. */
static int64_t cost_of(const pass *p, const rg_value *value) {
  const rg_fact *fact = rg_facts_of(p->facts, value);
  int64_t positions = 1, cost;
  if (fact->rank < 3 || fact->dims[1] == 1) return 0;
  for (int i = 2; i < fact->rank; i++)
    if (!rg_mul_i64(positions, rg_size_is_known(fact->dims[i]) ? fact->dims[i] : NOMINAL_SIZE, &positions)) return 0;
  if (positions == 1) return 0;
  int64_t channels = rg_size_is_known(fact->dims[1]) ? fact->dims[1] : NOMINAL_SIZE;
  return rg_mul_i64(channels, positions, &cost) && cost < RG_CUT_INFINITE / 2 ? cost : RG_CUT_INFINITE / 2;
}

/* One vertex between the maker and its users: however many are on the other side, the value is transposed once. */
static rango_status add_value(pass *p, const rg_value *value, int maker) {
  int64_t cost = cost_of(p, value);
  int towards_rows, towards_last;
  if (cost == 0) return RANGO_OK;
  RG_TRY(rg_cut_add_vertex(&p->cut, &towards_rows));
  RG_TRY(rg_cut_add_vertex(&p->cut, &towards_last));
  RG_TRY(rg_cut_add_edge(&p->cut, maker, towards_rows, cost));
  RG_TRY(rg_cut_add_edge(&p->cut, towards_last, maker, cost));
  if (value->output_uses > 0) RG_TRY(rg_cut_add_edge(&p->cut, towards_rows, ROWS, RG_CUT_INFINITE));
  for (size_t i = 0; i < value->uses.count; i++) {
    const rg_use *use = &value->uses.items[i];
    int side = use->node->graph == p->graph ? input_side(p, use->node, use->index) : ROWS;
    if (side == EITHER) continue;
    RG_TRY(rg_cut_add_edge(&p->cut, towards_rows, side, RG_CUT_INFINITE));
    RG_TRY(rg_cut_add_edge(&p->cut, side, towards_last, RG_CUT_INFINITE));
  }
  return RANGO_OK;
}

static rango_status add_values(pass *p) {
  for (size_t i = 0; i < p->graph->inputs.count; i++) RG_TRY(add_value(p, p->graph->inputs.items[i], ROWS));
  for (const rg_node *node = p->graph->first; node; node = node->next)
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) RG_TRY(add_value(p, node->outputs[i], output_side(p, node, i)));
  return RANGO_OK;
}

/* ---- the rewrite ---- */

typedef struct change {
  rg_value *value;
  bool made_last; /* by its producer */
} change;

/* Whether this use takes the value channels-last, made so or not. */
static bool use_is_last(const pass *p, const rg_use *use, bool made_last) {
  if (use->node->graph != p->graph) return false;
  int side = input_side(p, use->node, use->index);
  if (side == EITHER || rg_channel_transpose(use->node) > 0) return made_last; /* such a Transpose works on either */
  return p->last[side];
}

/* `before`: where rango.Layout goes. It makes `to` from `from`. */
static rango_status insert_layout(rg_graph *graph, rg_node *before, rg_value *from, rg_value *to, rg_layout layout) {
  rg_node *node;
  RG_TRY(rg_graph_add_node(graph, before, "Layout", RG_PRIVATE_DOMAIN, 1, 1, 1, &node));
  node->definition = rg_op_find(RG_PRIVATE_DOMAIN, "Layout", 1);
  RG_TRY(rg_node_set_int(node, "to", layout == RG_CHANNELS_LAST));
  RG_TRY(rg_node_set_input(node, 0, from));
  rg_node_set_output(node, 0, to);
  return RANGO_OK;
}

/* Its users of one side get another value. */
static rango_status move_uses(const pass *p, rg_value *value, rg_value *other, bool made_last) {
  for (size_t i = value->uses.count; i-- > 0;) {
    rg_use use = value->uses.items[i];
    if (use_is_last(p, &use, made_last)) RG_TRY(rg_node_set_input(use.node, use.index, other));
  }
  return RANGO_OK;
}

static rg_node *first_last_user(const pass *p, const rg_value *value) {
  for (rg_node *node = value->producer ? value->producer->next : p->graph->first; node; node = node->next)
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i] == value && use_is_last(p, &(rg_use){node, i}, false)) return node;
  return NULL;
}

static rango_status apply(const pass *p, const change *c, int *changes) {
  rg_value *value = c->value, *last;
  bool wants_last = false, wants_rows = value->output_uses > 0;
  for (size_t i = 0; i < value->uses.count; i++) {
    bool is_last = use_is_last(p, &value->uses.items[i], c->made_last);
    wants_last = wants_last || is_last;
    wants_rows = wants_rows || !is_last;
  }
  if (c->made_last && !wants_rows) {
    value->layout = RG_CHANNELS_LAST;
    return RANGO_OK;
  }
  if (!c->made_last && !wants_last) return RANGO_OK;
  RG_TRY(rg_graph_add_value(p->graph, NULL, &last));
  last->layout = RG_CHANNELS_LAST;
  ++*changes;
  if (!c->made_last) {
    rg_node *user = first_last_user(p, value);
    RG_TRY(move_uses(p, value, last, false));
    return insert_layout(p->graph, user, value, last, RG_CHANNELS_LAST);
  }
  rg_node *producer = value->producer;
  int index = value->producer_index;
  RG_TRY(move_uses(p, value, last, true));
  rg_node_set_output(producer, index, last);
  return insert_layout(p->graph, producer->next, last, value, RG_ROW_MAJOR);
}

/* Values are listed first: applying a change adds nodes and values that have no facts. */
static rango_status rewrite(const pass *p, int *changes) {
  size_t count = p->graph->inputs.count, at = 0;
  change *list;
  for (const rg_node *node = p->graph->first; node; node = node->next) count += (size_t)node->output_count;
  RG_TRY(rg_calloc(count + 1, sizeof *list, RG_OUT(&list)));
  for (size_t i = 0; i < p->graph->inputs.count; i++) list[at++].value = p->graph->inputs.items[i];
  for (const rg_node *node = p->graph->first; node; node = node->next)
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) list[at++] = (change){node->outputs[i], p->last[output_side(p, node, i)]};
  rango_status status = RANGO_OK;
  for (size_t i = 0; i < at && status == RANGO_OK; i++)
    if (rank_of(p, list[i].value) >= 3) status = apply(p, &list[i], changes);
  rg_free(list);
  return status;
}

static rango_status run(pass *p, int *changes) {
  RG_TRY(rg_calloc((size_t)p->graph->model->node_count + 1, sizeof *p->vertex, RG_OUT(&p->vertex)));
  RG_TRY(choose_vertices(p));
  RG_TRY(add_values(p));
  if (p->cut.vertices.count > MOST_VERTICES) return RANGO_OK;
  RG_TRY(rg_calloc(p->cut.vertices.count, sizeof *p->last, RG_OUT(&p->last)));
  RG_TRY(rg_cut_solve(&p->cut, p->last));
  return rewrite(p, changes);
}

typedef struct visiting {
  const rg_facts *facts;
  int *changes;
} visiting;

static rango_status visit(rg_graph *graph, void *argument) {
  const visiting *v = argument;
  pass p = {.graph = graph, .facts = v->facts};
  rango_status status = run(&p, v->changes);
  rg_cut_clear(&p.cut);
  rg_free(p.vertex);
  rg_free(p.last);
  return status;
}

rango_status rg_pass_layout(rango_model *model, int *changes) {
  rg_pass_facts facts;
  RG_TRY(rg_pass_facts_create(model, &facts));
  visiting v = {facts.facts, changes};
  rango_status status = rg_model_visit_graphs(model, false, visit, &v);
  rg_pass_facts_clear(&facts);
  return status;
}
