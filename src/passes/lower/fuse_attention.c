/*
 * softmax(scale q kᵀ + mask) v → rango.Attention, as exporters spell it: MatMul, Mul or Div by a constant (on the
 * scores, or on q and k), Add of the mask, Softmax, MatMul. Transposes around it, and the Slice or Gather that takes q,
 * k and v out of one tensor, are no more than the strides they are read with.
 */
#include <string.h>

#include "passes/lower/lower.h"

/* A value as a tensor that it is read from. */
typedef struct view {
  rg_value *source;
  int rank;
  int64_t axes[RANGO_MAX_RANK]; /* of source, by axis of the value */
  int64_t pick[2];              /* an axis of source that the value lacks, -1 for none, and the index on it */
  double scale;                 /* that source is multiplied by */
} view;

static const rg_fact *known_rank(const rg_facts *facts, const rg_value *value) {
  const rg_fact *fact = value ? rg_facts_of(facts, value) : NULL;
  return fact && fact->kind == RG_KIND_TENSOR && fact->rank >= 0 ? fact : NULL;
}

/* Elements of a constant int64 vector, or NULL. */
static const int64_t *constant_ints(const rg_node *node, int input, int64_t count) {
  const rg_value *value = rg_lower_input(node, input);
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  int64_t elements;
  if (!tensor || tensor->type != RANGO_INT64 || rg_shape_count(&tensor->shape, &elements) != RANGO_OK) return NULL;
  return elements == count ? tensor->data : NULL;
}

/* Of x c, c x and x / c: the input x, and the constant number. x has the result's rank. */
static rg_value *scaled(const rg_node *node, const rg_facts *facts, double *factor) {
  const bool divided = rg_node_is(node, "Div");
  if (!divided && !rg_node_is(node, "Mul")) return NULL;
  for (int i = 0; i < (divided ? 1 : 2); i++) {
    const rg_fact *in = known_rank(facts, node->inputs[i]), *out = known_rank(facts, node->outputs[0]);
    if (!in || !out || in->rank != out->rank || !rg_value_scalar(node->inputs[1 - i], factor)) continue;
    if (divided) *factor = 1 / *factor;
    return node->inputs[i];
  }
  return NULL;
}

/* The source is moved to a transposition's input. */
static bool through_transpose(view *v, const rg_node *node, const rg_facts *facts) {
  const rg_fact *in = known_rank(facts, node->inputs[0]);
  size_t count;
  const int64_t *perm = rg_node_ints(node, "perm", &count);
  if (!in || (perm && count != (size_t)in->rank)) return false;
  for (int i = 0; i < v->rank; i++) v->axes[i] = perm ? perm[v->axes[i]] : in->rank - 1 - v->axes[i];
  if (v->pick[0] >= 0) v->pick[0] = perm ? perm[v->pick[0]] : in->rank - 1 - v->pick[0];
  return true;
}

/* Squeeze of one axis, or Gather of one place on it. */
static bool through_pick(view *v, const rg_node *node, const rg_facts *facts) {
  const bool gather = rg_node_is(node, "Gather");
  const rg_fact *in = known_rank(facts, node->inputs[0]), *out = known_rank(facts, node->outputs[0]);
  if (v->pick[0] >= 0 || !in || !out || in->rank != out->rank + 1) return false;
  size_t count;
  const int64_t *listed = rg_node_ints(node, "axes", &count), *place = gather ? constant_ints(node, 1, 1) : NULL;
  if (!gather && !listed) listed = constant_ints(node, 1, 1);
  int64_t axis = gather ? rg_node_int(node, "axis", 0) : listed ? listed[0] : INT64_MIN, index = place ? *place : 0;
  if (axis < 0) axis += in->rank;
  if (axis < 0 || axis >= in->rank || index < 0 || (gather && !place)) return false;
  for (int i = 0; i < v->rank; i++) v->axes[i] += v->axes[i] >= axis;
  v->pick[0] = axis;
  v->pick[1] = index;
  return true;
}

/* A Slice that keeps one place of the picked axis. */
static bool through_slice(view *v, const rg_node *node) {
  const int64_t *start = constant_ints(node, 1, 1), *end = constant_ints(node, 2, 1), *axis = constant_ints(node, 3, 1),
                *step = constant_ints(node, 4, 1);
  if (v->pick[0] < 0 || !start || !end || !axis || (rg_lower_input(node, 4) && !step)) return false;
  if (*axis != v->pick[0] || *start < 0 || *end != *start + 1 || (step && *step != 1)) return false;
  v->pick[1] += *start;
  return true;
}

/* A Split into places of the picked axis. */
static bool through_split(view *v, const rg_node *node, const rg_facts *facts, int output) {
  const rg_fact *in = known_rank(facts, node->inputs[0]);
  int64_t axis = rg_node_int(node, "axis", 0);
  if (!in || v->pick[0] < 0) return false;
  if ((axis < 0 ? axis + in->rank : axis) != v->pick[0]) return false;
  for (int i = 0; i < node->output_count; i++) {
    const rg_fact *part = known_rank(facts, node->outputs[i]);
    if (!part || part->dims[v->pick[0]] != 1) return false;
  }
  v->pick[1] += output;
  return true;
}

/* Follows an operand upwards as far as it is only seen differently. */
static bool look_through(rg_value *value, const rg_facts *facts, bool may_scale, view *v) {
  const rg_fact *fact = known_rank(facts, value);
  if (!fact || fact->rank < 2 || fact->rank >= RANGO_MAX_RANK || !rg_lower_is_float32(facts, value)) return false;
  *v = (view){.source = value, .rank = fact->rank, .pick = {-1, 0}, .scale = 1};
  for (int i = 0; i < v->rank; i++) v->axes[i] = i;
  for (const rg_node *node; (node = v->source->producer) != NULL && node->graph == value->graph;) {
    double factor = 1;
    rg_value *from = node->input_count > 0 ? node->inputs[0] : NULL;
    bool through = false;
    if (rg_node_is(node, "Transpose"))
      through = through_transpose(v, node, facts);
    else if (rg_node_is(node, "Squeeze") || rg_node_is(node, "Gather"))
      through = through_pick(v, node, facts);
    else if (rg_node_is(node, "Slice"))
      through = through_slice(v, node);
    else if (rg_node_is(node, "Split"))
      through = through_split(v, node, facts, v->source->producer_index);
    else if (may_scale)
      through = (from = scaled(node, facts, &factor)) != NULL;
    if (!through || !from) break;
    v->scale *= factor;
    v->source = from;
  }
  return true;
}

/* The whole pattern; `end` is its last node. */
typedef struct pattern {
  rg_node *end;
  view q, k, v;
  rg_value *mask; /* or NULL */
  double scale;
} pattern;

/* q kᵀ, perhaps scaled: nothing else uses the scores. */
static bool find_scores(const rg_value *scores, const rg_facts *facts, pattern *p) {
  p->scale = 1;
  for (const rg_node *node; rg_lower_only_user(scores) && (node = scores->producer) != NULL;) {
    double factor = 1;
    if (rg_node_is(node, "MatMul")) {
      if (rg_value_constant(node->inputs[1]) || !look_through(node->inputs[0], facts, true, &p->q) ||
          !look_through(node->inputs[1], facts, true, &p->k))
        return false;
      const int last = p->k.rank - 1;
      const int64_t row = p->k.axes[last];
      p->k.axes[last] = p->k.axes[last - 1];
      p->k.axes[last - 1] = row;
      p->scale *= p->q.scale * p->k.scale;
      return true;
    }
    scores = scaled(node, facts, &factor);
    p->scale *= factor;
    if (!scores) return false;
  }
  return false;
}

/* The scores, or their sum with a mask of no more axes. */
static bool find_masked(const rg_value *value, const rg_facts *facts, pattern *p) {
  const rg_node *add = value->producer;
  p->mask = NULL;
  if (!add || !rg_node_is(add, "Add")) return find_scores(value, facts, p);
  if (!rg_lower_only_user(value)) return false;
  for (int i = 0; i < 2; i++) {
    const rg_fact *scores = known_rank(facts, add->inputs[i]), *mask = known_rank(facts, add->inputs[1 - i]);
    if (!scores || !mask || mask->rank > scores->rank || !rg_lower_is_float32(facts, add->inputs[1 - i])) continue;
    p->mask = add->inputs[1 - i];
    if (find_scores(add->inputs[i], facts, p)) return true;
  }
  return false;
}

static rango_status set_operand(rg_node *node, int input, const view *v) {
  static const char attributes[3][2][8] = {{"q_axes", "q_pick"}, {"k_axes", "k_pick"}, {"v_axes", "v_pick"}};
  RG_TRY(rg_node_set_input(node, input, v->source));
  RG_TRY(rg_node_set_ints(node, attributes[input][0], v->axes, (size_t)v->rank));
  return v->pick[0] < 0 ? RANGO_OK : rg_node_set_ints(node, attributes[input][1], v->pick, 2);
}

static rango_status rewrite(const pattern *p) {
  rg_node *node = p->end;
  RG_TRY(rg_lower_become(node, "Attention", RG_PRIVATE_DOMAIN, 1));
  RG_TRY(rg_node_set_input_count(node, p->mask ? 4 : 3));
  RG_TRY(set_operand(node, 0, &p->q));
  RG_TRY(set_operand(node, 1, &p->k));
  RG_TRY(set_operand(node, 2, &p->v));
  if (p->mask) RG_TRY(rg_node_set_input(node, 3, p->mask));
  RG_TRY(rg_node_set_float(node, "scale", (float)p->scale));
  rg_node *turn = rg_lower_only_user(node->outputs[0]);
  size_t count;
  const int64_t *perm = turn && rg_node_is(turn, "Transpose") ? rg_node_ints(turn, "perm", &count) : NULL;
  if (!perm || perm[count - 1] != (int64_t)count - 1) return RANGO_OK;
  RG_TRY(rg_node_set_ints(node, "axes", perm, count));
  rg_lower_take_over(node, turn);
  return RANGO_OK;
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  if (!rg_node_is(node, "Softmax")) return RANGO_OK;
  const rg_fact *fact = known_rank(facts, node->inputs[0]);
  const int64_t axis = rg_node_int(node, "axis", node->version < 13 ? 1 : -1);
  pattern p;
  p.end = rg_lower_only_user(node->outputs[0]);
  if (!fact || (axis != -1 && axis != fact->rank - 1) || !p.end || !rg_node_is(p.end, "MatMul")) return RANGO_OK;
  rg_value *values = rg_lower_other(p.end, node->outputs[0]);
  if (p.end->inputs[0] != node->outputs[0] || !values || rg_value_constant(values) ||
      !look_through(values, facts, false, &p.v) || !find_masked(node->inputs[0], facts, &p))
    return RANGO_OK;
  ++*changes;
  return rewrite(&p);
}

rango_status rg_pass_fuse_attention(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
