/* Runners: the plans of one graph, found by signature, the least recently used giving way. */
#include "engine/session.h"

/* ---- what a graph captures ---- */

static bool is_inside(const rg_graph *graph, const rg_graph *outer) {
  while (graph && graph != outer) graph = graph->owner ? graph->owner->graph : NULL;
  return graph == outer;
}

/* Adds `value` if it comes from outside `body` and isn't a constant. seen[] is by value id. */
static rango_status add_capture(const rg_graph *body, rg_value *value, bool *seen, rg_value_list *out) {
  if (!value || seen[value->id] || rg_value_constant(value) || is_inside(value->graph, body)) return RANGO_OK;
  RG_TRY(RG_RESERVE(out, 1));
  seen[value->id] = true;
  out->items[out->count++] = value;
  return RANGO_OK;
}

static rango_status visit_graph(const rg_graph *graph, const rg_graph *body, int depth, bool *seen, rg_value_list *out);

static rango_status visit_bodies(const rg_node *node, const rg_graph *body, int depth, bool *seen, rg_value_list *out) {
  RG_FAIL_IF(depth > RG_MAX_DEPTH, RANGO_ERROR_LIMIT, "%s: subgraphs are nested more than %d deep", rg_node_text(node),
             RG_MAX_DEPTH);
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
    if (attr->kind == RG_ATTR_GRAPH) RG_TRY(visit_graph(attr->graph, body ? body : attr->graph, depth, seen, out));
    if (attr->kind != RG_ATTR_GRAPHS) continue;
    for (size_t i = 0; i < attr->count; i++)
      RG_TRY(visit_graph(attr->graphs[i], body ? body : attr->graphs[i], depth, seen, out));
  }
  return RANGO_OK;
}

/* `body` is what values have to come from outside of. */
static rango_status visit_graph(const rg_graph *graph, const rg_graph *body, int depth, bool *seen,
                                rg_value_list *out) {
  for (const rg_node *node = graph->first; node; node = node->next) {
    for (int i = 0; i < node->input_count; i++) RG_TRY(add_capture(body, node->inputs[i], seen, out));
    RG_TRY(visit_bodies(node, body, depth + 1, seen, out));
  }
  for (size_t i = 0; i < graph->outputs.count; i++) RG_TRY(add_capture(body, graph->outputs.items[i], seen, out));
  return RANGO_OK;
}

static bool has_bodies(const rg_node *node) {
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next)
    if (attr->kind == RG_ATTR_GRAPH || attr->kind == RG_ATTR_GRAPHS) return true;
  return false;
}

/* What the subgraphs of `node` capture, or (node NULL) what `graph` itself does. */
static rango_status with_marks(const rg_graph *graph, const rg_node *node, rg_value_list *out) {
  bool *seen;
  RG_TRY(rg_calloc((size_t)graph->model->value_count + 1, sizeof *seen, RG_OUT(&seen)));
  rango_status status = node ? visit_bodies(node, NULL, 0, seen, out) : visit_graph(graph, graph, 0, seen, out);
  rg_free(seen);
  return status;
}

rango_status rg_node_captures(const rg_node *node, rg_value_list *out) {
  return has_bodies(node) ? with_marks(node->graph, node, out) : RANGO_OK;
}

/* ---- runners ---- */

rango_status rg_runner_create(const rg_graph *graph, rg_runner **out) {
  rg_runner *runner;
  RG_TRY(rg_calloc(1, sizeof *runner, RG_OUT(&runner)));
  runner->graph = graph;
  rango_status status = RANGO_OK;
  if (graph->owner) RG_TRY_DONE(with_marks(graph, NULL, &runner->captures));
  size_t values = graph->inputs.count + runner->captures.count + 1;
  RG_TRY_DONE(rg_calloc(values, sizeof *runner->values, RG_OUT(&runner->values)));
  RG_TRY_DONE(rg_calloc(values, sizeof *runner->by_value, RG_OUT(&runner->by_value)));
  *out = runner;
  return RANGO_OK;
done:
  rg_runner_free(runner);
  return status;
}

void rg_runner_free(rg_runner *runner) {
  if (!runner) return;
  for (size_t i = 0; i < runner->plans.count; i++) rg_plan_free(runner->plans.items[i]);
  rg_free(runner->plans.items);
  rg_free(runner->captures.items);
  rg_free(runner->values);
  rg_free(runner->by_value);
  rg_free(runner);
}

static bool plan_fits(const rg_plan *plan, const rg_val *const *values) {
  for (size_t i = 0; i < plan->key_count; i++)
    if (!rg_key_matches(&plan->keys[i], values[i])) return false;
  return true;
}

static size_t least_recent(const rg_runner *runner) {
  size_t best = 0;
  for (size_t i = 1; i < runner->plans.count; i++)
    if (runner->plans.items[i]->used_at < runner->plans.items[best]->used_at) best = i;
  return best;
}

/* Where shapes alone leave sizes open, finds the small integer inputs whose elements settle some. */
static rango_status find_value_inputs(rango_session *session, rg_runner *runner) {
  size_t count = runner->graph->inputs.count + runner->captures.count;
  int open, fewer;
  RG_TRY(rg_plan_count_open(session, runner->graph, &runner->captures, runner->values, runner->by_value, &open));
  for (size_t i = 0; i < count && open > 0; i++) {
    if (runner->by_value[i] || !rg_key_wants_elements(runner->values[i])) continue;
    runner->by_value[i] = true;
    rango_status status =
        rg_plan_count_open(session, runner->graph, &runner->captures, runner->values, runner->by_value, &fewer);
    if (status != RANGO_OK || fewer >= open)
      runner->by_value[i] = false;
    else
      open = fewer;
    RG_TRY(status);
  }
  return RANGO_OK;
}

/* Elements that differ from run to run would make a plan each time: after as many plans as pay, they are left open. */
static rango_status choose_value_inputs(rango_session *session, rg_runner *runner) {
  size_t count = runner->graph->inputs.count + runner->captures.count;
  if (runner->value_plans < 4 * session->max_plans) {
    RG_TRY(find_value_inputs(session, runner));
    for (size_t i = 0; i < count; i++)
      if (runner->by_value[i]) {
        runner->value_plans++;
        break;
      }
  } else {
    for (size_t i = 0; i < count; i++) runner->by_value[i] = false;
  }
  return RANGO_OK;
}

rango_status rg_runner_plan(rango_session *session, rg_runner *runner, rg_plan **out) {
  for (size_t i = 0; i < runner->plans.count; i++) {
    rg_plan *kept = runner->plans.items[i];
    if (!plan_fits(kept, runner->values)) continue;
    kept->used_at = ++session->clock;
    *out = kept;
    return RANGO_OK;
  }
  RG_TRY(choose_value_inputs(session, runner));
  RG_TRY(RG_RESERVE(&runner->plans, 1));
  rg_plan *plan;
  RG_TRY(rg_plan_create(session, runner->graph, &runner->captures, runner->values, runner->by_value, &plan));
  if (runner->plans.count >= (size_t)session->max_plans) {
    size_t oldest = least_recent(runner);
    rg_plan_free(runner->plans.items[oldest]);
    runner->plans.items[oldest] = plan;
  } else {
    runner->plans.items[runner->plans.count++] = plan;
  }
  plan->used_at = ++session->clock;
  *out = plan;
  return RANGO_OK;
}
