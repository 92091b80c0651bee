/*
 * Chains and trees of elementwise nodes become one rango.Elementwise each, which passes over memory once. Nodes are
 * taken together whose results have one shape and lie in one layout and that no other node uses; what they read may be
 * broadcast. This comes last: by then such nodes have gone into layers, attention and norms where they could, and the
 * layouts are known.
 */
#include "ops/elementwise.h"
#include "passes/lower/lower.h"

#define MOST_INPUTS (RG_STEPS_MAX + 1) /* of a tree; nodes that share results only read less */

/* Grown upwards from its last node. */
typedef struct group {
  const rg_facts *facts;
  rg_node *nodes[RG_STEPS_MAX]; /* the last one first */
  int count;
} group;

/* Inputs in the order of the fused node: those with one element last. */
typedef struct inputs {
  rg_value *items[MOST_INPUTS];
  int count, arrays;
} inputs;

static int operand_count(const rg_step *step) { return step->kind == RG_STEP_ACTIVATION ? 1 : 2; }

static bool is_one_element(const rg_fact *fact) {
  for (int i = 0; i < fact->rank; i++)
    if (fact->dims[i] != 1) return false;
  return true;
}

/* Whether the node is a step, of float32 numbers. */
static bool is_step(const rg_node *node, const rg_facts *facts) {
  rg_step step;
  if (node->output_count != 1 || !rg_step_of(node, &step)) return false;
  const rg_value *y = node->outputs[0];
  for (int i = 0; i < operand_count(&step); i++)
    if (!rg_lower_is_float32(facts, node->inputs[i])) return false;
  return rg_lower_is_float32(facts, y) && rg_facts_of(facts, y)->rank >= 0;
}

static int index_of(const group *g, const rg_node *node) {
  for (int i = 0; i < g->count; i++)
    if (g->nodes[i] == node) return i;
  return -1;
}

static bool add_input(const group *g, inputs *in, rg_value *value) {
  const bool array = !is_one_element(rg_facts_of(g->facts, value));
  for (int i = 0; i < in->count; i++)
    if (in->items[i] == value) return true;
  if (in->count == MOST_INPUTS || (array && in->arrays == RG_STEP_ARRAYS)) return false;
  int at = in->count++;
  if (array) {
    in->items[at] = in->items[in->arrays];
    at = in->arrays++;
  }
  in->items[at] = value;
  return true;
}

/* What the group reads; false when that is too much. */
static bool list_inputs(const group *g, inputs *in) {
  *in = (inputs){0};
  for (int n = g->count - 1; n >= 0; n--) {
    rg_step step;
    rg_step_of(g->nodes[n], &step);
    for (int i = 0; i < operand_count(&step); i++) {
      rg_value *value = g->nodes[n]->inputs[i];
      if ((!value->producer || index_of(g, value->producer) < 0) && !add_input(g, in, value)) return false;
    }
  }
  return true;
}

/* Takes in the node that makes `value`, where nobody else needs it. */
static bool take(group *g, const rg_value *value) {
  const rg_value *root = g->nodes[0]->outputs[0];
  rg_node *node = value->producer;
  inputs in;
  if (!node || node->graph != root->graph || index_of(g, node) >= 0 || g->count == RG_STEPS_MAX ||
      value->output_uses > 0 || value->layout != root->layout || !is_step(node, g->facts) ||
      !rg_lower_same_shape(rg_facts_of(g->facts, value), rg_facts_of(g->facts, root)))
    return false;
  for (size_t i = 0; i < value->uses.count; i++)
    if (index_of(g, value->uses.items[i].node) < 0) return false;
  g->nodes[g->count++] = node;
  if (list_inputs(g, &in)) return true;
  g->count--;
  return false;
}

/* A node that two others read can be taken once both are in: hence until nothing changes. */
static void grow(group *g) {
  for (bool taken = true; taken;) {
    taken = false;
    for (int n = 0; n < g->count; n++) {
      rg_step step;
      rg_step_of(g->nodes[n], &step);
      for (int i = 0; i < operand_count(&step); i++) taken = take(g, g->nodes[n]->inputs[i]) || taken;
    }
  }
}

/* Appends the node's step behind those that it reads; what has one is noted in done[]. */
static int append(const group *g, const inputs *in, int n, int *done, rg_steps *steps) {
  rg_step step;
  int operands[2] = {0};
  if (done[n] >= 0) return done[n];
  rg_step_of(g->nodes[n], &step);
  for (int i = 0; i < operand_count(&step); i++) {
    const rg_value *value = g->nodes[n]->inputs[i];
    const int maker = value->producer ? index_of(g, value->producer) : -1;
    while (maker < 0 && in->items[operands[i]] != value) operands[i]++;
    if (maker >= 0) operands[i] = append(g, in, maker, done, steps);
  }
  step.a = operands[0];
  step.b = operand_count(&step) == 2 ? operands[1] : operands[0];
  steps->items[steps->count] = step;
  return done[n] = in->count + steps->count++;
}

static rango_status fuse(const group *g) {
  rg_node *last = g->nodes[0];
  rg_steps steps = {0};
  inputs in;
  int done[RG_STEPS_MAX];
  list_inputs(g, &in);
  for (int i = 0; i < RG_STEPS_MAX; i++) done[i] = -1;
  append(g, &in, 0, done, &steps);
  last->attributes = NULL;
  RG_TRY(rg_lower_become(last, "Elementwise", RG_PRIVATE_DOMAIN, 1));
  RG_TRY(rg_node_set_input_count(last, in.count));
  for (int i = 0; i < in.count; i++) RG_TRY(rg_node_set_input(last, i, in.items[i]));
  for (int i = 1; i < g->count; i++) rg_node_remove(g->nodes[i]);
  return rg_steps_write(last, &steps);
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  group g = {facts, {node}, 1};
  if (!is_step(node, facts)) return RANGO_OK;
  grow(&g);
  if (g.count == 1) return RANGO_OK;
  ++*changes;
  return fuse(&g);
}

/* Whether there are two steps one behind the other: most networks have none left, and need no inference for that. */
static rango_status look(rg_graph *graph, void *argument) {
  rg_step step;
  for (const rg_node *node = graph->first; node; node = node->next) {
    const rg_node *user = node->output_count == 1 ? rg_lower_only_user(node->outputs[0]) : NULL;
    if (user && rg_step_of(node, &step) && rg_step_of(user, &step)) *(bool *)argument = true;
  }
  return RANGO_OK;
}

rango_status rg_pass_fuse_elementwise(rango_model *model, int *changes) {
  bool worth = false;
  RG_TRY(rg_model_visit_graphs(model, false, look, &worth));
  return worth ? rg_lower_nodes_backwards(model, visit, changes) : RANGO_OK;
}
