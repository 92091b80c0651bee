/* Nodes whose outputs are known before running become initializers: by running those that have only constant inputs,
 * and by what inference knows (the Shape of a value of static shape, and arithmetic on it). Bounded, since a file of a
 * few bytes can describe gigabytes. */
#include <string.h>

#include "passes/canonical/rewrite.h"

#define RESULT_MAX ((size_t)64 << 20)  /* bytes of one node's results */
#define GROWTH_MAX ((size_t)4 << 10)   /* the same, where they are bigger than what the node reads: files stay small */
#define BUDGET     ((size_t)256 << 20) /* of all results in one pass */
#define MACS_MAX   ((int64_t)1000000000) /* of one node */

typedef struct folding {
  rg_pass_facts facts;
  size_t budget, growth;
  int changes;
} folding;

/* In bodies of loops a value can differ from one round to the next, so only what holds by constants alone is folded. */
static bool runs_once(const rg_graph *graph) {
  for (; graph->owner; graph = graph->owner->graph)
    if (!rg_node_is(graph->owner, "If")) return false;
  return true;
}

static bool is_known_fact(const rg_fact *fact) {
  if (!fact || !rg_fact_is_concrete(fact) || !fact->known) return false;
  if (!rg_type_is_integer(fact->type) && fact->type != RANGO_BOOL) return false;
  for (int64_t i = 0; i < fact->known_count; i++)
    if (!rg_size_is_known(fact->known[i])) return false;
  return true;
}

static rango_status tensor_from_fact(const rg_fact *fact, rango_tensor *out) {
  rg_shape shape;
  int64_t count;
  RG_TRY(rg_fact_shape(fact, &shape));
  RG_TRY(rg_shape_count(&shape, &count));
  RG_FAIL_IF(count != fact->known_count, RANGO_ERROR_INTERNAL, "inference knows %lld of %lld elements",
             (long long)fact->known_count, (long long)count);
  RG_TRY(rg_tensor_init(out, fact->type, &shape));
  for (int64_t i = 0; i < count; i++) {
    if (fact->type == RANGO_INT64)
      ((int64_t *)out->data)[i] = fact->known[i]; /* may be more than a double holds */
    else
      rg_tensor_set_double(out, i, (double)fact->known[i]);
  }
  return RANGO_OK;
}

static bool all_inputs_constant(const rg_node *node, size_t *bytes) {
  bool any = false;
  *bytes = 0;
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    const rango_tensor *constant = rg_value_constant(node->inputs[i]);
    if (!constant) return false;
    any = true;
    *bytes += constant->bytes;
  }
  return any;
}

/* Bytes of the outputs by inference. Where it doesn't know (NonZero), so many as a small input can make. */
static bool result_fits(const folding *f, const rg_node *node, size_t input_bytes, size_t *out) {
  *out = 0;
  for (int i = 0; i < node->output_count; i++) {
    rg_shape shape;
    int64_t count;
    size_t bytes = 64 * input_bytes;
    const rg_fact *fact = rg_pass_fact(&f->facts, node->outputs[i]);
    if (!node->outputs[i]) continue;
    if (fact && rg_fact_is_concrete(fact)) {
      if (rg_fact_shape(fact, &shape) != RANGO_OK || rg_shape_count(&shape, &count) != RANGO_OK ||
          rg_type_bytes(fact->type, count, &bytes) != RANGO_OK)
        return false;
    } else if (input_bytes > (size_t)1 << 20) {
      return false;
    }
    *out += bytes < RESULT_MAX ? bytes : RESULT_MAX;
    if (*out >= RESULT_MAX) return false;
  }
  return *out <= f->budget && (*out <= input_bytes || *out <= f->growth);
}

static rango_status is_cheap(const folding *f, const rg_node *node, bool *out) {
  *out = true;
  if (!node->definition->macs) return RANGO_OK;
  const rg_fact **facts;
  size_t count = (size_t)node->input_count + (size_t)node->output_count;
  RG_TRY(rg_calloc(count, sizeof *facts, RG_OUT(&facts)));
  for (int i = 0; i < node->input_count; i++) facts[i] = rg_pass_fact(&f->facts, node->inputs[i]);
  for (int i = 0; i < node->output_count; i++) facts[node->input_count + i] = rg_pass_fact(&f->facts, node->outputs[i]);
  int64_t macs = node->definition->macs(node, facts, facts + node->input_count);
  *out = macs >= 0 && macs <= MACS_MAX;
  rg_free(facts);
  return RANGO_OK;
}

/* The node's outputs as tensors. A node that fails is left for the run, which may never reach it. */
static rango_status evaluate(const rg_node *node, rango_tensor *results, bool *done) {
  size_t inputs = (size_t)node->input_count, outputs = (size_t)node->output_count;
  rg_val *vals = NULL;
  const rg_val **pointers = NULL;
  rango_status status;
  *done = false;
  RG_TRY_DONE(rg_calloc(inputs + outputs, sizeof *vals, RG_OUT(&vals)));
  RG_TRY_DONE(rg_calloc(inputs, sizeof *pointers, RG_OUT(&pointers)));
  for (size_t i = 0; i < inputs; i++) {
    if (!node->inputs[i]) continue;
    vals[i].kind = RG_KIND_TENSOR;
    rg_tensor_init_view(&vals[i].tensor, rg_value_constant(node->inputs[i]));
    pointers[i] = &vals[i];
  }
  status = rg_op_evaluate(node, false, pointers, vals + inputs);
  if (status == RANGO_ERROR_MEMORY) goto done;
  *done = status == RANGO_OK;
  status = RANGO_OK;
  for (size_t i = 0; i < outputs && *done; i++)
    if (node->outputs[i] && vals[inputs + i].kind != RG_KIND_TENSOR) *done = false; /* a sequence is no initializer */
  for (size_t i = 0; i < outputs && *done; i++) {
    const rg_val *val = &vals[inputs + i];
    if (!node->outputs[i]) continue;
    if (val->tensor.buffer)
      rg_tensor_init_view(&results[i], &val->tensor);
    else
      RG_TRY_DONE(rg_tensor_copy(&results[i], &val->tensor));
  }
done:
  for (size_t i = 0; vals && i < inputs + outputs; i++) rg_val_clear(&vals[i]);
  rg_free(vals);
  rg_free(pointers);
  return status;
}

static bool known_by_inference(const folding *f, const rg_node *node) {
  if (!runs_once(node->graph)) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && rg_value_is_used(node->outputs[i]) &&
        !is_known_fact(rg_pass_fact(&f->facts, node->outputs[i])))
      return false;
  return true;
}

/* Fills results[output_count]; *done is false when nothing is known. */
static rango_status find_results(folding *f, const rg_node *node, rango_tensor *results, bool *done) {
  size_t input_bytes, bytes = 0;
  *done = false;
  if (known_by_inference(f, node)) {
    for (int i = 0; i < node->output_count; i++) {
      if (!node->outputs[i] || !rg_value_is_used(node->outputs[i])) continue;
      RG_TRY(tensor_from_fact(rg_pass_fact(&f->facts, node->outputs[i]), &results[i]));
    }
    *done = true;
  } else if (all_inputs_constant(node, &input_bytes) && result_fits(f, node, input_bytes, &bytes)) {
    bool cheap;
    RG_TRY(is_cheap(f, node, &cheap));
    if (!cheap) return RANGO_OK;
    RG_TRY(evaluate(node, results, done));
    if (*done) f->budget -= bytes < f->budget ? bytes : f->budget;
  }
  return RANGO_OK;
}

/* Values keep their names. */
static rango_status replace_by_results(rg_node *node, rango_tensor *results) {
  for (int i = 0; i < node->output_count; i++) {
    rg_value *value = node->outputs[i];
    if (!value || !results[i].type) continue;
    rg_node_set_output(node, i, NULL);
    RG_TRY(rg_value_become_constant(value, &results[i]));
  }
  rg_node_remove(node);
  return RANGO_OK;
}

static bool may_fold(const rg_node *node) {
  if (!node->definition || node->definition->flags & (RG_OP_RANDOM | RG_OP_SUBGRAPH | RG_OP_PRIVATE)) return false;
  if (rg_node_is(node, "Constant")) return false;
  bool used = false;
  for (int i = 0; i < node->output_count; i++) {
    if (node->outputs[i] && node->outputs[i]->output_uses) return false; /* a graph's output stays a node's */
    used |= node->outputs[i] && rg_value_is_used(node->outputs[i]);
  }
  return used;
}

static rango_status fold_node(folding *f, rg_node *node) {
  if (!may_fold(node)) return RANGO_OK;
  rango_tensor *results;
  bool done;
  RG_TRY(rg_calloc((size_t)node->output_count, sizeof *results, RG_OUT(&results)));
  int outputs = node->output_count;
  rango_status status = find_results(f, node, results, &done);
  if (status == RANGO_OK && done) {
    status = replace_by_results(node, results);
    f->changes++;
  }
  for (int i = 0; i < outputs; i++) rg_tensor_clear(&results[i]);
  rg_free(results);
  return status;
}

static rango_status visit(rg_graph *graph, void *argument) {
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    RG_TRY(fold_node(argument, node));
  }
  return RANGO_OK;
}

static rango_status fold(rango_model *model, size_t growth, int *changes) {
  folding f = {.budget = BUDGET, .growth = growth};
  RG_TRY(rg_pass_facts_create(model, &f.facts));
  rango_status status = rg_model_visit_graphs(model, false, visit, &f);
  rg_pass_facts_clear(&f.facts);
  *changes += f.changes;
  return status;
}

rango_status rg_pass_fold_constants(rango_model *model, int *changes) { return fold(model, GROWTH_MAX, changes); }

rango_status rg_pass_fold_large_constants(rango_model *model, int *changes) { return fold(model, RESULT_MAX, changes); }
