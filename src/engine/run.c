/* Executing a plan: values are pointed at their memory, steps run in order, outputs are handed over. */
#include <string.h>

#include "base/checked.h"
#include "engine/session.h"

/* What a running step's callbacks need. */
typedef struct host {
  rango_session *session;
  const rg_frame *frame;
  rg_step *step;
  size_t scratch_used; /* of the step's part of the arena */
} host;

/* ---- slots of the pool ---- */

static void slot_release(rg_slot *slot) {
  rango_tensor *tensor = &slot->val.tensor;
  if (slot->block) {
    rg_pool_release(slot->block);
    slot->block = NULL;
  } else {
    rango_tensor known = *tensor; /* type and shape of a planned slot stay */
    rg_val_clear(&slot->val);
    if (slot->planned) {
      slot->val.kind = RG_KIND_TENSOR;
      rg_tensor_init_borrowed(tensor, known.type, &known.shape, NULL, known.bytes);
      tensor->layout = slot->value->layout;
    }
  }
  tensor->data = NULL;
  if (!slot->planned) slot->val = (rg_val){0};
}

/* Memory for a value whose size is known now. What goes to the caller owns its memory; the rest is the pool's. */
static rango_status slot_allocate(rango_session *session, rg_slot *slot, rango_type type, const rg_shape *shape) {
  slot_release(slot);
  if (slot->output >= 0 || type == RANGO_STRING) {
    RG_TRY(rg_tensor_init(&slot->val.tensor, type, shape));
  } else {
    int64_t count;
    size_t bytes;
    RG_TRY(rg_shape_count(shape, &count));
    RG_TRY(rg_type_bytes(type, count, &bytes));
    RG_TRY(rg_pool_take(session->pool, bytes, &slot->block));
    rg_tensor_init_borrowed(&slot->val.tensor, type, shape, rg_pool_data(slot->block), bytes);
  }
  slot->val.kind = RG_KIND_TENSOR;
  slot->val.tensor.layout = slot->value->layout;
  return RANGO_OK;
}

/* A planned slot's type and shape were promised to the steps after it. */
static rango_status check_promise(const rg_step *step, const rg_slot *slot, rango_type type, const rg_shape *shape) {
  if (!slot->planned || (slot->val.tensor.type == type && rg_shape_equal(&slot->val.tensor.shape, shape)))
    return RANGO_OK;
  char made[RG_SHAPE_TEXT], planned[RG_SHAPE_TEXT];
  return rg_fail(RANGO_ERROR_INTERNAL, "%s: made '%s' as %s %s, but its shape rule says %s %s",
                 rg_node_text(step->node), slot->value->name, rango_type_name(type),
                 rg_shape_text(shape, made, sizeof made), rango_type_name(slot->val.tensor.type),
                 rg_shape_text(&slot->val.tensor.shape, planned, sizeof planned));
}

/* ---- callbacks ---- */

static rango_status host_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out) {
  host *self = exec->host;
  rg_slot *slot = self->step->outputs[index];
  RG_TRY(check_promise(self->step, slot, type, shape));
  if (slot->place == RG_PLACE_POOL) RG_TRY(slot_allocate(self->session, slot, type, shape));
  *out = &slot->val.tensor;
  return RANGO_OK;
}

static rango_status host_output_val(rg_exec *exec, int index, rg_val **out) {
  host *self = exec->host;
  *out = &self->frame->plan->moved[index];
  rg_val_clear(*out);
  return RANGO_OK;
}

/* Scratch of portable operators: kept blocks, each as large as was ever needed. */
static rango_status session_scratch(rango_session *session, size_t bytes, void **out) {
  if (session->scratch_open == session->scratch.count) {
    RG_TRY(RG_RESERVE(&session->scratch, 1));
    session->scratch.items[session->scratch.count++] = (rg_chunk){0};
  }
  rg_chunk *chunk = &session->scratch.items[session->scratch_open];
  if (!chunk->data || chunk->bytes < bytes) {
    rg_free(chunk->data);
    *chunk = (rg_chunk){0};
    RG_TRY(rg_alloc(bytes, &chunk->data));
    chunk->bytes = bytes;
  }
  session->scratch_open++;
  *out = chunk->data;
  return RANGO_OK;
}

static rango_status host_scratch(rg_exec *exec, size_t bytes, void **out) {
  host *self = exec->host;
  const rg_step *step = self->step;
  size_t planned = rg_round_up(step->kernel.scratch_bytes, RG_ALIGNMENT);
  if (bytes > planned || rg_round_up(bytes, RG_ALIGNMENT) > planned - self->scratch_used)
    return session_scratch(self->session, bytes, out);
  *out = (uint8_t *)self->frame->plan->base + step->scratch_offset + self->scratch_used;
  self->scratch_used += rg_round_up(bytes, RG_ALIGNMENT);
  return RANGO_OK;
}

static rango_status find_body(rango_session *session, const rg_graph *body, rg_runner **out) {
  for (size_t i = 0; i < session->bodies.count; i++)
    if (session->bodies.items[i]->graph == body) {
      *out = session->bodies.items[i];
      return RANGO_OK;
    }
  RG_TRY(RG_RESERVE(&session->bodies, 1));
  RG_TRY(rg_runner_create(body, out));
  session->bodies.items[session->bodies.count++] = *out;
  return RANGO_OK;
}

static rango_status host_subgraph(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                                  rg_val *outputs, size_t output_count) {
  host *self = exec->host;
  rg_runner *runner;
  if (input_count != body->inputs.count || output_count != body->outputs.count)
    return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "its subgraph '%s' has %zu inputs and %zu outputs, needs %zu and %zu",
                        body->name, body->inputs.count, body->outputs.count, input_count, output_count);
  RG_TRY(find_body(self->session, body, &runner));
  return rg_run_graph(self->session, self->frame, runner, inputs, outputs);
}

/* ---- steps ---- */

/* Takes over what the operator handed over whole. */
static rango_status settle_moved(const rg_step *step, rg_slot *slot, rg_val *moved) {
  if (moved->kind == RG_KIND_TENSOR)
    RG_TRY(check_promise(step, slot, moved->tensor.type, &moved->tensor.shape));
  else
    RG_FAIL_IF(slot->planned, RANGO_ERROR_INTERNAL, "%s: made '%s' as no tensor, but its shape rule says it is one",
               rg_node_text(step->node), slot->value->name);
  if (slot->place == RG_PLACE_POOL) {
    slot_release(slot);
    slot->val = *moved;
    *moved = (rg_val){0};
    return RANGO_OK;
  }
  RG_TRY(rg_tensor_transfer(&moved->tensor, &slot->val.tensor));
  rg_val_clear(moved);
  return RANGO_OK;
}

/* Output 0 is input 0's memory under another shape: one more reference to it. */
static rango_status run_view(rg_step *step) {
  rg_slot *out = step->outputs[0];
  const rg_val *in = step->inputs[0];
  const rg_slot *from = (const rg_slot *)((const char *)in - offsetof(rg_slot, val));
  slot_release(out);
  if (from->block) {
    out->block = rg_pool_retain(from->block);
  } else if (in->tensor.buffer) {
    out->val.tensor.buffer = rg_buffer_retain(in->tensor.buffer);
  }
  out->val.tensor.data = in->tensor.data;
  return RANGO_OK;
}

static rango_status call_step(host *self, rg_step *step, const rg_kernel *kernel) {
  rango_session *session = self->session;
  rg_exec exec = {.node = step->node,
                  .input_count = step->node->input_count,
                  .output_count = step->node->output_count,
                  .inputs = step->inputs,
                  .state = kernel->state,
                  .threads = session->threads,
                  .host = self,
                  .output = host_output,
                  .output_val = host_output_val,
                  .scratch = host_scratch,
                  .subgraph = host_subgraph};
  size_t open = session->scratch_open;
  rango_status status = kernel->run ? kernel->run(&exec) : rg_portable_run(step->op, &exec);
  session->scratch_open = open;
  return status;
}

static const rango_tensor *tensor_of(const rg_val *val) {
  return val && val->kind == RG_KIND_TENSOR ? &val->tensor : NULL;
}

void rg_report_step(rango_session *session, const rg_step *step, const char *where, double begin, double milliseconds,
                    int64_t macs) {
  if (session->profile) rg_profile_add(session->profile, step->node, milliseconds, macs, where);
  if (!session->on_node) return;
  const rg_slot *output = step->node->output_count > 0 ? step->outputs[0] : NULL;
  const rango_node_event event = {.name = rg_profile_name(step->node),
                                  .op = step->node->op,
                                  .where = where,
                                  .start = begin - session->made_at,
                                  .milliseconds = milliseconds,
                                  .macs = macs,
                                  .input = step->node->input_count > 0 ? tensor_of(step->inputs[0]) : NULL,
                                  .output = output ? tensor_of(&output->val) : NULL};
  session->on_node(session->on_node_user, &event);
}

static const char *where_of(const rango_session *session, const rg_kernel *kernel) {
  return !session->kernels ? "reference" : kernel->run ? session->where : "cpu portable";
}

static rango_status run_step(rango_session *session, const rg_frame *frame, rg_step *step) {
  host self = {.session = session, .frame = frame, .step = step};
  if (step->view) return run_view(step);
  const rg_kernel *kernel = &step->kernel;
  int64_t macs = step->macs;
  if (step->late) {
    RG_TRY(rg_late_prepare(session, step));
    kernel = &step->late->kernel;
    macs = step->late->macs;
  }
  const bool timed = session->profile || session->on_node;
  double begin = timed ? rg_profile_clock() : 0;
  rango_status status = call_step(&self, step, kernel);
  rg_val *moved = frame->plan->moved;
  for (int i = 0; i < step->node->output_count; i++) {
    if (moved[i].kind == RG_KIND_NONE) continue;
    if (status == RANGO_OK) status = settle_moved(step, step->outputs[i], &moved[i]);
    rg_val_clear(&moved[i]);
  }
  if (timed && status == RANGO_OK)
    rg_report_step(session, step, where_of(session, kernel), begin, rg_profile_clock() - begin, macs);
  return status;
}

static rango_status run_steps(rango_session *session, const rg_frame *frame) {
  rg_plan *plan = frame->plan;
  for (int i = 0; i < plan->step_count; i++) {
    int last = i;
    if (plan->steps[i].gpu)
      RG_TRY(rg_gpu_segment_run(session, plan, i, &last));
    else
      RG_TRY(run_step(session, frame, &plan->steps[i]));
    for (; i <= last; i++)
      for (int r = 0; r < plan->steps[i].released_count; r++) slot_release(plan->steps[i].released[r]);
    i = last;
  }
  return RANGO_OK;
}

/* ---- memory of a run ---- */

/* The value of an outer graph that is being run. */
static rango_status find_outer(const rg_frame *frame, const rg_value *value, const rg_val **out) {
  for (; frame; frame = frame->parent) {
    if (frame->runner->graph != value->graph) continue;
    int slot = frame->plan->slot_of[value->id];
    if (slot < 0) break;
    *out = &frame->plan->slots[slot].val;
    return RANGO_OK;
  }
  RG_FAIL(RANGO_ERROR_INTERNAL, "value '%s' of an outer graph is not there", value->name);
}

static rango_status gather_values(const rg_frame *parent, rg_runner *runner, const rg_val *const *inputs) {
  size_t count = runner->graph->inputs.count;
  for (size_t i = 0; i < count; i++) runner->values[i] = inputs[i];
  for (size_t i = 0; i < runner->captures.count; i++)
    RG_TRY(find_outer(parent, runner->captures.items[i], &runner->values[count + i]));
  return RANGO_OK;
}

/* Makes the arena of this depth large enough and points the plan's slots into it. */
static rango_status bind_arena(rango_session *session, const rg_frame *frame) {
  rg_plan *plan = frame->plan;
  rg_chunk *arena = &session->arenas[frame->depth];
  if (!arena->data || arena->bytes < plan->arena_bytes) {
    rg_free(arena->data);
    *arena = (rg_chunk){0};
    RG_TRY(rg_alloc(plan->arena_bytes, &arena->data));
    arena->bytes = plan->arena_bytes;
  }
  if (plan->base == arena->data) return RANGO_OK;
  for (int i = 0; i < plan->slot_count; i++)
    if (plan->slots[i].place == RG_PLACE_ARENA)
      plan->slots[i].val.tensor.data = (uint8_t *)arena->data + plan->slots[i].offset;
  plan->base = arena->data;
  return RANGO_OK;
}

/* Fits a tensor that the caller gave for an output? */
static rango_status check_given(const rg_value *value, const rango_tensor *given, const rango_tensor *made) {
  if (given->type == made->type && rg_shape_equal(&given->shape, &made->shape)) return RANGO_OK;
  char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
  RG_FAIL(RANGO_ERROR_ARGUMENT, "output '%s' is %s %s, but the tensor given for it is %s %s", value->name,
          rango_type_name(made->type), rg_shape_text(&made->shape, a, sizeof a), rango_type_name(given->type),
          rg_shape_text(&given->shape, b, sizeof b));
}

rango_status rg_run_open_outputs(const rg_plan *plan, bool all, rg_val *outputs) {
  for (size_t i = 0; i < plan->graph->outputs.count; i++) {
    const rg_value *value = plan->graph->outputs.items[i];
    const rg_slot *slot = &plan->slots[plan->slot_of[value->id]];
    bool direct = slot->place == RG_PLACE_OUTPUT && slot->index == (int)i;
    if (outputs[i].kind == RG_KIND_TENSOR) {
      if (slot->planned) RG_TRY(check_given(value, &outputs[i].tensor, &slot->val.tensor));
    } else if (direct || all) {
      RG_TRY(rg_tensor_init(&outputs[i].tensor, slot->val.tensor.type, &slot->val.tensor.shape));
      outputs[i].kind = RG_KIND_TENSOR;
    }
  }
  return RANGO_OK;
}

static void bind_slots(rg_plan *plan, const rg_val *const *values, const rg_val *outputs) {
  for (int i = 0; i < plan->bound_count; i++) {
    rg_slot *slot = plan->bound[i];
    if (slot->place == RG_PLACE_OUTPUT) {
      slot->val.tensor.data = outputs[slot->index].tensor.data;
      continue;
    }
    size_t at = (size_t)slot->index + (slot->place == RG_PLACE_OUTER ? plan->graph->inputs.count : 0);
    const rg_val *from = values[at];
    if (slot->view) {
      slot->val.tensor.data = from->tensor.data;
    } else if (from) {
      slot->val = *from;
      if (slot->place == RG_PLACE_INPUT) slot->val.tensor.buffer = NULL; /* the caller's: never kept */
    } else {
      slot->val = (rg_val){0};
    }
  }
}

/* Hands over output i, which no step wrote in place. */
static rango_status deliver(const rg_slot *slot, int index, rg_val *output) {
  const rg_val *val = &slot->val;
  if (output->kind != RG_KIND_TENSOR && val->kind != RG_KIND_TENSOR) return rg_val_view(output, val);
  RG_FAIL_IF(val->kind != RG_KIND_TENSOR, RANGO_ERROR_ARGUMENT, "output '%s' is no tensor", slot->value->name);
  bool given = output->kind == RG_KIND_TENSOR;
  if (given) {
    RG_TRY(check_given(slot->value, &output->tensor, &val->tensor));
    RG_FAIL_IF(val->tensor.type == RANGO_STRING, RANGO_ERROR_ARGUMENT,
               "output '%s' is made of strings: pass NULL for it to receive a new tensor", slot->value->name);
  } else {
    output->kind = RG_KIND_TENSOR;
    if (slot->place == RG_PLACE_POOL && val->tensor.buffer && slot->output == index &&
        val->tensor.layout == RG_ROW_MAJOR) {
      rg_tensor_init_view(&output->tensor, &val->tensor);
      return RANGO_OK;
    }
    if (val->tensor.type == RANGO_STRING) return rg_tensor_copy(&output->tensor, &val->tensor);
    RG_TRY(rg_tensor_init(&output->tensor, val->tensor.type, &val->tensor.shape));
  }
  return rg_tensor_transfer(&val->tensor, &output->tensor);
}

static rango_status deliver_outputs(rg_plan *plan, rg_val *outputs) {
  for (size_t i = 0; i < plan->graph->outputs.count; i++) {
    const rg_slot *slot = &plan->slots[plan->slot_of[plan->graph->outputs.items[i]->id]];
    if (slot->place != RG_PLACE_OUTPUT || slot->index != (int)i) RG_TRY(deliver(slot, (int)i, &outputs[i]));
  }
  return RANGO_OK;
}

static rango_status run_plan(rango_session *session, const rg_frame *frame, rg_val *outputs) {
  rg_plan *plan = frame->plan;
  RG_TRY(bind_arena(session, frame));
  RG_TRY(rg_run_open_outputs(plan, false, outputs));
  bind_slots(plan, frame->runner->values, outputs);
  rango_status status = run_steps(session, frame);
  if (status == RANGO_OK) status = deliver_outputs(plan, outputs);
  for (int i = 0; i < plan->slot_count; i++)
    if (plan->slots[i].place == RG_PLACE_POOL) slot_release(&plan->slots[i]);
  return status;
}

rango_status rg_run_main(rango_session *session, rg_plan *plan, rg_val *outputs) {
  return run_plan(session, &(rg_frame){.runner = session->main, .plan = plan}, outputs);
}

rango_status rg_run_graph(rango_session *session, const rg_frame *parent, rg_runner *runner,
                          const rg_val *const *inputs, rg_val *outputs) {
  rg_frame frame = {.parent = parent, .depth = parent ? parent->depth + 1 : 0, .runner = runner};
  RG_FAIL_IF(frame.depth >= RG_MAX_DEPTH, RANGO_ERROR_LIMIT, "subgraphs run more than %d deep", RG_MAX_DEPTH);
  RG_TRY(gather_values(parent, runner, inputs));
  RG_TRY(rg_runner_plan(session, runner, &frame.plan));
  return run_plan(session, &frame, outputs);
}
