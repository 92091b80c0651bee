/* Making a plan: facts for the given shapes, a step for every node, a place for every value, one arena. */
#include <string.h>

#include "engine/plan.h"

/* ---- kernels ---- */

rango_status rg_kernel_prepare(rango_session *session, const rg_node *node, const rg_fact *const *inputs,
                               const rg_fact *const *outputs, rg_arena *arena, rg_kernel *kernel) {
  rg_prepare prepare = {.node = node,
                        .input_count = node->input_count,
                        .output_count = node->output_count,
                        .inputs = inputs,
                        .outputs = outputs,
                        .kernels = session->kernels,
                        .threads = session->threads ? rango_threads_count(session->threads) : 1,
                        .cache = session->packed,
                        .arena = arena};
  rango_status status = rg_cpu_prepare(&prepare);
  kernel->packed_count = prepare.packed_count;
  for (int i = 0; i < prepare.packed_count; i++) kernel->packed[i] = prepare.packed[i];
  if (status != RANGO_OK || !prepare.run) {
    rg_kernel_clear(kernel);
    return status;
  }
  kernel->run = prepare.run;
  kernel->state = prepare.state;
  kernel->scratch_bytes = prepare.scratch_bytes;
  kernel->in_place = prepare.in_place;
  return RANGO_OK;
}

void rg_kernel_clear(rg_kernel *kernel) {
  for (int i = 0; i < kernel->packed_count; i++) rg_packed_release(kernel->packed[i]);
  *kernel = (rg_kernel){0};
}

/* ---- building ---- */

int rg_plan_root(const rg_plan_builder *build, int slot) {
  while (build->classes[slot].root != slot) slot = build->classes[slot].root;
  return slot;
}

static rango_status add_slot(rg_plan *plan, rg_value_list *list, rg_value *value) {
  if (!value || plan->slot_of[value->id] >= 0) return RANGO_OK;
  RG_TRY(RG_RESERVE(list, 1));
  plan->slot_of[value->id] = (int)list->count;
  list->items[list->count++] = value;
  return RANGO_OK;
}

/* Every value that a step or the caller sees gets a slot. */
static rango_status list_slots(rg_plan_builder *build, rg_value_list *list) {
  rg_plan *plan = build->plan;
  const rg_graph *graph = plan->graph;
  for (size_t i = 0; i < graph->inputs.count; i++) RG_TRY(add_slot(plan, list, graph->inputs.items[i]));
  for (size_t i = 0; i < build->captures->count; i++) RG_TRY(add_slot(plan, list, build->captures->items[i]));
  for (const rg_node *node = graph->first; node; node = node->next) {
    for (int i = 0; i < node->input_count; i++) {
      rg_value *value = node->inputs[i];
      if (value && rg_value_constant(value)) RG_TRY(add_slot(plan, list, value));
      RG_FAIL_IF(value && plan->slot_of[value->id] < 0, RANGO_ERROR_FORMAT, "%s: input '%s' is not defined before it",
                 rg_node_text(node), value->name);
    }
    for (int i = 0; i < node->output_count; i++) RG_TRY(add_slot(plan, list, node->outputs[i]));
  }
  for (size_t i = 0; i < graph->outputs.count; i++) {
    rg_value *value = graph->outputs.items[i];
    if (rg_value_constant(value)) RG_TRY(add_slot(plan, list, value));
    RG_FAIL_IF(plan->slot_of[value->id] < 0, RANGO_ERROR_FORMAT, "output '%s' is made by no node", value->name);
  }
  return RANGO_OK;
}

/* Sizes being computed are known to inference already: their value is made here, and no step is needed for it. */
static rango_status materialise_known(rg_plan_builder *build, rg_slot *slot, const rg_fact *fact) {
  rango_tensor *tensor = &slot->val.tensor;
  if (!fact->known || !(rg_type_is_integer(fact->type) || fact->type == RANGO_BOOL) || rango_type_bits(fact->type) < 8)
    return RANGO_OK;
  for (int64_t i = 0; i < fact->known_count; i++)
    if (!rg_size_is_known(fact->known[i])) return RANGO_OK;
  RG_TRY(rg_arena_alloc(build->plan->memory, tensor->bytes + 1, &tensor->data));
  for (int64_t i = 0; i < fact->known_count; i++) {
    if (fact->type == RANGO_INT64)
      ((int64_t *)tensor->data)[i] = fact->known[i];
    else
      rg_tensor_set_double(tensor, i, (double)fact->known[i]);
  }
  slot->place = RG_PLACE_CONSTANT;
  return RANGO_OK;
}

/* A slot starts in the pool; what is known of it better is set here and by its node's step. */
static rango_status init_slot(rg_plan_builder *build, rg_slot *slot, rg_value *value) {
  const rg_fact *fact = rg_facts_of(build->facts, value);
  slot->value = value;
  slot->output = -1;
  const rango_tensor *constant = rg_value_constant(value);
  if (constant) {
    slot->place = RG_PLACE_CONSTANT;
    slot->planned = true;
    slot->val.kind = RG_KIND_TENSOR;
    slot->val.tensor = *constant;
    slot->val.tensor.buffer = NULL; /* whoever keeps the value copies it: weights are nobody's to write to */
    return RANGO_OK;
  }
  slot->planned = rg_fact_is_concrete(fact) && fact->type != RANGO_STRING;
  if (!slot->planned) return RANGO_OK;
  rg_shape shape;
  size_t bytes;
  int64_t count;
  RG_TRY(rg_fact_shape(fact, &shape));
  RG_TRY(rg_shape_count(&shape, &count));
  RG_TRY(rg_type_bytes(fact->type, count, &bytes));
  slot->val.kind = RG_KIND_TENSOR;
  rg_tensor_init_borrowed(&slot->val.tensor, fact->type, &shape, NULL, bytes);
  slot->val.tensor.layout = value->layout;
  return value->producer ? materialise_known(build, slot, fact) : RANGO_OK;
}

static bool outputs_are_made(const rg_plan_builder *build, const rg_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && build->plan->slots[rg_plan_slot(build, node->outputs[i])].place != RG_PLACE_CONSTANT)
      return false;
  return true;
}

static rango_status make_slots(rg_plan_builder *build) {
  rg_plan *plan = build->plan;
  const rg_graph *graph = plan->graph;
  rg_value_list list = {0};
  rango_status status;
  RG_TRY_DONE(list_slots(build, &list));
  plan->slot_count = (int)list.count;
  RG_TRY_DONE(rg_arena_calloc(plan->memory, list.count + 1, sizeof *plan->slots, RG_OUT(&plan->slots)));
  RG_TRY_DONE(rg_arena_calloc(build->scratch, list.count + 1, sizeof *build->classes, RG_OUT(&build->classes)));
  for (size_t i = 0; i < list.count; i++) {
    RG_TRY_DONE(init_slot(build, &plan->slots[i], list.items[i]));
    build->classes[i] =
        (rg_shared_memory){.root = (int)i, .first = -1, .last = -1, .bytes = plan->slots[i].val.tensor.bytes};
  }
  for (size_t i = 0; i < graph->inputs.count; i++) {
    rg_slot *slot = &plan->slots[rg_plan_slot(build, graph->inputs.items[i])];
    slot->place = RG_PLACE_INPUT;
    slot->index = (int)i;
  }
  for (size_t i = 0; i < build->captures->count; i++) {
    rg_slot *slot = &plan->slots[rg_plan_slot(build, build->captures->items[i])];
    slot->place = RG_PLACE_OUTER;
    slot->index = (int)i;
  }
  for (size_t i = graph->outputs.count; i-- > 0;)
    plan->slots[rg_plan_slot(build, graph->outputs.items[i])].output = (int)i;
done:
  rg_free(list.items);
  return status;
}

/* Last uses. Nodes are visited in order, so the latest wins; what a subgraph takes is used by the node that has it. */
static rango_status find_last_uses(rg_plan_builder *build) {
  const rg_graph *graph = build->plan->graph;
  int position = 0;
  for (const rg_node *node = graph->first; node; node = node->next, position++) {
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i]) build->classes[rg_plan_slot(build, node->inputs[i])].last = position;
    for (int i = 0; i < node->output_count; i++) {
      if (!node->outputs[i]) continue;
      rg_shared_memory *made = &build->classes[rg_plan_slot(build, node->outputs[i])];
      made->first = position;
      if (made->last < position) made->last = position;
    }
    rg_value_list *captures = &build->node_captures[position];
    for (size_t i = 0; i < captures->count; i++) {
      int slot = rg_plan_slot(build, captures->items[i]);
      if (slot >= 0) build->classes[slot].last = position;
    }
  }
  for (size_t i = 0; i < graph->outputs.count; i++)
    build->classes[rg_plan_slot(build, graph->outputs.items[i])].last = RG_AT_END;
  return RANGO_OK;
}

/* `slot` becomes another name of `with`'s memory. */
static void join(rg_plan_builder *build, int slot, int with) {
  int root = rg_plan_root(build, with);
  rg_shared_memory *to = &build->classes[root], *from = &build->classes[slot];
  from->root = root;
  if (from->last > to->last) to->last = from->last;
  const rg_slot *source = &build->plan->slots[root];
  rg_slot *target = &build->plan->slots[slot];
  target->place = source->place;
  target->index = source->index;
  target->view = true;
  if (source->place == RG_PLACE_CONSTANT) target->val.tensor.data = source->val.tensor.data;
}

/* Channels-last and row-major are one order where there is one channel or one position. */
static bool layouts_agree(const rg_shape *shape) {
  int64_t positions = 1;
  for (int i = 2; i < shape->rank; i++) positions *= shape->dims[i];
  return shape->rank < 3 || shape->dims[1] == 1 || positions == 1;
}

/* Whether output 0 is input 0's memory under another shape. */
static bool is_view(const rg_slot *in, const rg_slot *out, const rg_step *step) {
  if (!in || !out || !in->planned || !out->planned) return false;
  if (in->val.tensor.type != out->val.tensor.type || in->val.tensor.bytes != out->val.tensor.bytes) return false;
  if (rg_node_is_layout(step->node)) return layouts_agree(&out->val.tensor.shape);
  int moved = rg_channel_transpose(step->node);
  if (moved != 0)
    return in->val.tensor.layout == (moved > 0 ? RG_CHANNELS_LAST : RG_ROW_MAJOR) &&
           out->val.tensor.layout == (moved > 0 ? RG_ROW_MAJOR : RG_CHANNELS_LAST);
  return (step->op->flags & RG_OP_VIEW) && in->val.tensor.layout == RG_ROW_MAJOR &&
         out->val.tensor.layout == RG_ROW_MAJOR;
}

/* Whether the step may write output 0 over input 0: this is the memory's last use, and nothing else that the step reads
 * lies there. */
static bool may_overwrite(const rg_plan_builder *build, const rg_step *step, int in, int out) {
  const rg_slot *from = &build->plan->slots[in], *to = &build->plan->slots[out];
  const rg_node *node = step->node;
  bool allowed = step->gpu          ? step->gpu->in_place
                 : step->kernel.run ? step->kernel.in_place
                                    : (step->op->flags & RG_OP_ELEMENTWISE) != 0;
  int root = rg_plan_root(build, in);
  if (!allowed || from->place != RG_PLACE_ARENA || build->classes[root].last != build->position) return false;
  if (from->val.tensor.type != to->val.tensor.type || from->val.tensor.layout != to->val.tensor.layout ||
      !rg_shape_equal(&from->val.tensor.shape, &to->val.tensor.shape))
    return false;
  for (int i = 1; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    int other = rg_plan_slot(build, node->inputs[i]);
    if (other != in && rg_plan_root(build, other) == root) return false;
  }
  return true;
}

static rango_status link_step(rg_plan_builder *build, const rg_node *node, rg_step *step) {
  rg_plan *plan = build->plan;
  step->node = node;
  step->op = build->session->kernels ? node->definition : rg_op_scalar(node->definition);
  RG_FAIL_IF(!step->op, RANGO_ERROR_UNSUPPORTED, "%s: no implementation", rg_node_text(node));
  RG_TRY(rg_arena_calloc(plan->memory, (size_t)node->input_count + 1, sizeof *step->inputs, RG_OUT(&step->inputs)));
  RG_TRY(rg_arena_calloc(plan->memory, (size_t)node->output_count + 1, sizeof *step->outputs, RG_OUT(&step->outputs)));
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) step->inputs[i] = &plan->slots[rg_plan_slot(build, node->inputs[i])].val;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) step->outputs[i] = &plan->slots[rg_plan_slot(build, node->outputs[i])];
  return RANGO_OK;
}

/* Facts of the node's values into in_facts and out_facts; false when one isn't concrete. */
static bool gather_facts(rg_plan_builder *build, const rg_node *node) {
  bool concrete = true;
  for (int i = 0; i < node->input_count; i++) {
    build->in_facts[i] = node->inputs[i] ? rg_facts_of(build->facts, node->inputs[i]) : NULL;
    concrete = concrete && (!build->in_facts[i] || rg_fact_is_concrete(build->in_facts[i]));
  }
  for (int i = 0; i < node->output_count; i++) {
    build->out_facts[i] = node->outputs[i] ? rg_facts_of(build->facts, node->outputs[i]) : NULL;
    concrete = concrete && (!build->out_facts[i] || rg_fact_is_concrete(build->out_facts[i]));
  }
  return concrete;
}

static bool inputs_are_planned(const rg_plan_builder *build, const rg_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && !build->plan->slots[rg_plan_slot(build, node->inputs[i])].planned) return false;
  return true;
}

/* Output places of a step whose shapes are all known. */
static void place_outputs(rg_plan_builder *build, const rg_step *step) {
  const rg_node *node = step->node;
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    int out = rg_plan_slot(build, node->outputs[i]);
    build->plan->slots[out].place = RG_PLACE_ARENA;
    if (i > 0 || node->input_count == 0 || !node->inputs[0]) continue;
    int in = rg_plan_slot(build, node->inputs[0]);
    if (may_overwrite(build, step, in, out)) join(build, out, in);
  }
}

/* Only packing reads weights at any address: operators that do without get a copy. */
static rango_status align_inputs(rg_plan_builder *build, const rg_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    rg_slot *slot = &build->plan->slots[rg_plan_slot(build, node->inputs[i])];
    rango_tensor *tensor = &slot->val.tensor;
    if (slot->place != RG_PLACE_CONSTANT || rg_tensor_is_aligned(tensor)) continue;
    void *copy;
    RG_TRY(rg_arena_alloc(build->plan->memory, tensor->bytes, &copy));
    memcpy(copy, tensor->data, tensor->bytes);
    tensor->data = copy;
  }
  return RANGO_OK;
}

/* Plans one node: nothing to do (a view), a step with its kernel, or a step that finds out when it is reached. */
static rango_status plan_node(rg_plan_builder *build, const rg_node *node) {
  rg_plan *plan = build->plan;
  if (outputs_are_made(build, node)) return RANGO_OK; /* Constant, or sizes */
  rg_step *step = &plan->steps[plan->step_count];
  RG_TRY(link_step(build, node, step));
  bool concrete = gather_facts(build, node) && inputs_are_planned(build, node);
  bool bodies = (step->op->flags & RG_OP_SUBGRAPH) != 0;
  for (int i = 0; i < node->output_count; i++) concrete = concrete && (!step->outputs[i] || step->outputs[i]->planned);
  if (concrete && !bodies) {
    const rg_slot *in =
        node->input_count > 0 && node->inputs[0] ? &plan->slots[rg_plan_slot(build, node->inputs[0])] : NULL;
    if (node->output_count > 0 && is_view(in, step->outputs[0], step)) {
      if (in->place != RG_PLACE_POOL) {
        join(build, rg_plan_slot(build, node->outputs[0]), rg_plan_slot(build, node->inputs[0]));
        return RANGO_OK;
      }
      step->view = true;
    } else {
      RG_TRY(rg_gpu_step_prepare(build->session, node, build->in_facts, build->out_facts, plan->memory, &step->gpu));
      if (build->session->kernels && !step->gpu)
        RG_TRY(rg_kernel_prepare(build->session, node, build->in_facts, build->out_facts, plan->memory, &step->kernel));
      place_outputs(build, step);
    }
    step->macs = step->op->macs ? step->op->macs(node, build->in_facts, build->out_facts) : 0;
  } else if (!bodies) {
    RG_TRY(rg_arena_calloc(plan->memory, 1, sizeof *step->late, RG_OUT(&step->late)));
  }
  plan->step_count++;
  return step->kernel.run || step->gpu ? RANGO_OK : align_inputs(build, node);
}

/* An output is written where the caller wants it when its memory is one of the arena's, its own size and no other
 * output's. */
static void place_graph_outputs(rg_plan_builder *build) {
  rg_plan *plan = build->plan;
  for (size_t i = 0; i < plan->graph->outputs.count; i++) {
    int slot = rg_plan_slot(build, plan->graph->outputs.items[i]), root = rg_plan_root(build, slot);
    if (plan->slots[slot].place != RG_PLACE_ARENA || plan->slots[root].place != RG_PLACE_ARENA ||
        plan->slots[slot].val.tensor.layout != RG_ROW_MAJOR)
      continue;
    plan->slots[root].place = RG_PLACE_OUTPUT;
    plan->slots[root].index = (int)i;
  }
  for (int i = 0; i < plan->slot_count; i++) {
    const rg_slot *root = &plan->slots[rg_plan_root(build, i)];
    plan->slots[i].place = root->place;
    plan->slots[i].index = root->index;
  }
}

/* Offsets of everything in the arena: classes of slots, and each step's scratch. */
static rango_status plan_memory(rg_plan_builder *build, const int *positions) {
  rg_plan *plan = build->plan;
  rg_block *blocks;
  size_t count = 0;
  RG_TRY(rg_arena_calloc(build->scratch, (size_t)(plan->slot_count + plan->step_count) + 1, sizeof *blocks,
                         RG_OUT(&blocks)));
  for (int i = 0; i < plan->slot_count; i++) {
    const rg_shared_memory *c = &build->classes[i];
    if (plan->slots[i].place == RG_PLACE_ARENA && c->root == i && !c->device_alone)
      blocks[count++] = (rg_block){.bytes = c->bytes, .first = c->first, .last = c->last};
  }
  for (int i = 0; i < plan->step_count; i++)
    if (plan->steps[i].kernel.scratch_bytes > 0)
      blocks[count++] =
          (rg_block){.bytes = plan->steps[i].kernel.scratch_bytes, .first = positions[i], .last = positions[i]};
  RG_TRY(rg_memory_plan(blocks, count, &plan->arena_bytes));
  count = 0;
  for (int i = 0; i < plan->slot_count; i++)
    if (plan->slots[i].place == RG_PLACE_ARENA && build->classes[i].root == i && !build->classes[i].device_alone)
      plan->slots[i].offset = blocks[count++].offset;
  for (int i = 0; i < plan->step_count; i++)
    if (plan->steps[i].kernel.scratch_bytes > 0) plan->steps[i].scratch_offset = blocks[count++].offset;
  for (int i = 0; i < plan->slot_count; i++) plan->slots[i].offset = plan->slots[rg_plan_root(build, i)].offset;
  return RANGO_OK;
}

/* Which slots of the pool each step releases, and which slots every run binds anew. */
static rango_status plan_lists(rg_plan_builder *build, const int *positions) {
  rg_plan *plan = build->plan;
  RG_TRY(rg_arena_calloc(plan->memory, (size_t)plan->slot_count + 1, sizeof *plan->bound, RG_OUT(&plan->bound)));
  int *released; /* [nodes]: how many slots end there */
  size_t nodes = 0;
  for (const rg_node *node = plan->graph->first; node; node = node->next) nodes++;
  RG_TRY(rg_arena_calloc(build->scratch, nodes + 1, sizeof *released, RG_OUT(&released)));
  for (int i = 0; i < plan->slot_count; i++) {
    rg_slot *slot = &plan->slots[i];
    if (slot->place == RG_PLACE_INPUT || slot->place == RG_PLACE_OUTER || slot->place == RG_PLACE_OUTPUT)
      plan->bound[plan->bound_count++] = slot;
    if (slot->place == RG_PLACE_POOL && build->classes[i].last != RG_AT_END) released[build->classes[i].last]++;
  }
  for (int i = 0; i < plan->step_count; i++)
    RG_TRY(rg_arena_calloc(plan->memory, (size_t)released[positions[i]] + 1, sizeof *plan->steps[i].released,
                           RG_OUT(&plan->steps[i].released)));
  for (int i = 0; i < plan->step_count; i++)
    for (int s = 0; released[positions[i]] > 0 && s < plan->slot_count; s++)
      if (plan->slots[s].place == RG_PLACE_POOL && build->classes[s].last == positions[i])
        plan->steps[i].released[plan->steps[i].released_count++] = &plan->slots[s];
  return RANGO_OK;
}

static rango_status plan_nodes(rg_plan_builder *build) {
  rg_plan *plan = build->plan;
  size_t nodes = 0;
  int most_inputs = 0, most_outputs = 0;
  for (const rg_node *node = plan->graph->first; node; node = node->next) {
    nodes++;
    if (node->input_count > most_inputs) most_inputs = node->input_count;
    if (node->output_count > most_outputs) most_outputs = node->output_count;
  }
  int *positions; /* [steps]: which node each step is */
  RG_TRY(rg_arena_calloc(build->scratch, (size_t)most_inputs + 1, sizeof *build->in_facts, RG_OUT(&build->in_facts)));
  RG_TRY(
      rg_arena_calloc(build->scratch, (size_t)most_outputs + 1, sizeof *build->out_facts, RG_OUT(&build->out_facts)));
  RG_TRY(rg_arena_calloc(build->scratch, nodes + 1, sizeof *positions, RG_OUT(&positions)));
  RG_TRY(rg_arena_calloc(plan->memory, nodes + 1, sizeof *plan->steps, RG_OUT(&plan->steps)));
  RG_TRY(rg_arena_calloc(plan->memory, (size_t)most_outputs + 1, sizeof *plan->moved, RG_OUT(&plan->moved)));
  for (const rg_node *node = plan->graph->first; node; node = node->next) {
    positions[plan->step_count] = build->position;
    RG_TRY(plan_node(build, node));
    build->position++;
  }
  place_graph_outputs(build);
  RG_TRY(rg_gpu_plan_create(build, positions));
  RG_TRY(plan_memory(build, positions));
  return plan_lists(build, positions);
}

static rango_status collect_node_captures(rg_plan_builder *build) {
  const rg_graph *graph = build->plan->graph;
  size_t nodes = 0, at = 0;
  for (const rg_node *node = graph->first; node; node = node->next) nodes++;
  RG_TRY(rg_arena_calloc(build->scratch, nodes + 1, sizeof *build->node_captures, RG_OUT(&build->node_captures)));
  for (const rg_node *node = graph->first; node; node = node->next, at++)
    RG_TRY(rg_node_captures(node, &build->node_captures[at]));
  return RANGO_OK;
}

static void free_node_captures(rg_plan_builder *build) {
  if (!build->node_captures) return;
  size_t at = 0;
  for (const rg_node *node = build->plan->graph->first; node; node = node->next)
    rg_free(build->node_captures[at++].items);
}

static rango_status build_plan(rg_plan_builder *build, const rg_val *const *values, const bool *by_value,
                               rg_facts **facts) {
  rg_plan *plan = build->plan;
  int values_in_model = build->session->program->model->value_count;
  plan->key_count = plan->graph->inputs.count + build->captures->count;
  RG_TRY(rg_arena_calloc(plan->memory, plan->key_count + 1, sizeof *plan->keys, RG_OUT(&plan->keys)));
  for (size_t i = 0; i < plan->key_count; i++) RG_TRY(rg_key_set(&plan->keys[i], plan->memory, values[i], by_value[i]));
  RG_TRY(rg_plan_facts(build->session, plan->graph, build->captures, plan->keys, facts));
  build->facts = *facts;
  RG_TRY(rg_arena_calloc(plan->memory, (size_t)values_in_model + 1, sizeof *plan->slot_of, RG_OUT(&plan->slot_of)));
  for (int i = 0; i < values_in_model; i++) plan->slot_of[i] = -1;
  RG_TRY(collect_node_captures(build));
  RG_TRY(make_slots(build));
  RG_TRY(find_last_uses(build));
  return plan_nodes(build);
}

rango_status rg_plan_create(rango_session *session, const rg_graph *graph, const rg_value_list *captures,
                            const rg_val *const *values, const bool *by_value, rg_plan **out) {
  rg_plan *plan;
  RG_TRY(rg_calloc(1, sizeof *plan, RG_OUT(&plan)));
  plan->graph = graph;
  rg_plan_builder build = {.session = session, .plan = plan, .captures = captures};
  rg_facts *facts = NULL;
  rango_status status;
  RG_TRY_DONE(rg_arena_create(&plan->memory));
  RG_TRY_DONE(rg_arena_create(&build.scratch));
  RG_TRY_DONE(build_plan(&build, values, by_value, &facts));
  *out = plan;
  plan = NULL;
done:
  free_node_captures(&build);
  rg_facts_free(facts);
  rg_arena_free(build.scratch);
  rg_plan_free(plan);
  return status;
}

void rg_plan_free(rg_plan *plan) {
  if (!plan) return;
  rg_gpu_plan_free(plan);
  for (int i = 0; plan->steps && i < plan->step_count; i++) {
    rg_kernel_clear(&plan->steps[i].kernel);
    if (plan->steps[i].late) rg_late_clear(plan->steps[i].late);
  }
  rg_arena_free(plan->memory);
  rg_free(plan);
}
