/*
 * A plan's part on a GPU: which steps run there, in segments; what each segment copies in and out; where values lie in
 * the device's arena.
 *
 * Memory that slots share (rg_shared_memory) may be valid on the CPU, on the device, or on both. Following the steps in
 * order tells when it has to be copied: to the device before a segment that reads it, back after the segment that wrote
 * it last, if a CPU step or the caller ever reads it.
 */
#include "base/checked.h"
#include "engine/plan.h"

/* Of one root. */
typedef struct memory_state {
  bool on_cpu, on_device; /* valid there */
  bool used_by_cpu, used_by_device;
  int writer; /* segment, while valid on the device alone */
  int last;   /* node that the device needs it for, where that is later than the memory's own last use */
} memory_state;

typedef struct tracer {
  rg_plan_builder *build;
  rg_gpu_plan *gpu;
  const int *positions;
  memory_state *states; /* [slot_count] */
} tracer;

/* ---- one step ---- */

rango_status rg_gpu_step_prepare(rango_session *session, const rg_node *node, const rg_fact *const *inputs,
                                 const rg_fact *const *outputs, rg_arena *arena, rg_gpu_prepare **out) {
  *out = NULL;
  if (!session->gpu) return RANGO_OK;
  rg_gpu_prepare *prepare;
  RG_TRY(rg_arena_calloc(arena, 1, sizeof *prepare, RG_OUT(&prepare)));
  *prepare = (rg_gpu_prepare){.node = node,
                              .input_count = node->input_count,
                              .output_count = node->output_count,
                              .inputs = inputs,
                              .outputs = outputs,
                              .device = session->device,
                              .weights = session->device_weights,
                              .half = session->half};
  rango_status status = session->gpu->prepare(prepare);
  if (status == RANGO_OK && prepare->task_count > 0) {
    *out = prepare;
    return RANGO_OK;
  }
  for (int i = 0; i < prepare->held_count; i++) session->gpu->weight_release(prepare->held[i]);
  return status;
}

/* ---- following memory through the steps ---- */

static int root_of(const tracer *t, const rg_value *value) {
  return rg_plan_root(t->build, rg_plan_slot(t->build, value));
}

static size_t device_bytes(const tracer *t, int root) {
  return rg_gpu_plan_bytes(t->gpu, &t->build->plan->slots[root].val.tensor);
}

static void add_transfer(const tracer *t, rg_transfers *transfers, int root) {
  transfers->items[transfers->count++] =
      (rg_transfer){.slot = &t->build->plan->slots[root], .bytes = device_bytes(t, root)};
}

/* Room for as many transfers as there are roots. */
static rango_status open_segment(tracer *t, int step) {
  rg_plan *plan = t->build->plan;
  rg_gpu_segment *segment = &t->gpu->segments[t->gpu->segment_count++];
  segment->first = segment->last = step;
  const size_t most = (size_t)plan->slot_count + 1;
  RG_TRY(rg_arena_calloc(plan->memory, most, sizeof(rg_transfer), RG_OUT(&segment->uploads.items)));
  return rg_arena_calloc(plan->memory, most, sizeof(rg_transfer), RG_OUT(&segment->downloads.items));
}

static void read_on_device(tracer *t, const rg_value *value) {
  const int root = root_of(t, value);
  memory_state *state = &t->states[root];
  if (!state->on_device) add_transfer(t, &t->gpu->segments[t->gpu->segment_count - 1].uploads, root);
  state->on_device = state->used_by_device = true;
}

static void read_on_cpu(tracer *t, const rg_value *value) {
  const int root = root_of(t, value);
  memory_state *state = &t->states[root];
  state->used_by_cpu = true;
  if (state->on_cpu) return;
  rg_gpu_segment *segment = &t->gpu->segments[state->writer];
  add_transfer(t, &segment->downloads, root);
  state->on_cpu = true;
  if (state->last < t->positions[segment->last]) state->last = t->positions[segment->last];
}

static void trace_device_step(tracer *t, const rg_step *step) {
  const rg_node *node = step->node;
  for (int i = 0; i < step->gpu->task_count; i++)
    for (int j = 0; j < RG_GPU_BINDINGS_MAX; j++) {
      const rg_gpu_operand *operand = &step->gpu->tasks[i].operands[j];
      if (operand->kind == RG_GPU_INPUT) read_on_device(t, node->inputs[operand->index]);
    }
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    memory_state *state = &t->states[root_of(t, node->outputs[i])];
    state->on_device = state->used_by_device = true;
    state->on_cpu = false;
    state->writer = t->gpu->segment_count - 1;
  }
}

static void trace_cpu_step(tracer *t, const rg_step *step, int position) {
  const rg_node *node = step->node;
  const rg_value_list *captures = &t->build->node_captures[position];
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) read_on_cpu(t, node->inputs[i]);
  for (size_t i = 0; i < captures->count; i++) read_on_cpu(t, captures->items[i]);
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    memory_state *state = &t->states[root_of(t, node->outputs[i])];
    state->on_cpu = state->used_by_cpu = true;
    state->on_device = false;
  }
}

static rango_status trace(tracer *t) {
  const rg_plan *plan = t->build->plan;
  for (int i = 0; i < plan->slot_count; i++) t->states[i] = (memory_state){.on_cpu = true, .last = -1};
  for (int i = 0; i < plan->step_count; i++) {
    const rg_step *step = &plan->steps[i];
    if (!step->gpu) {
      trace_cpu_step(t, step, t->positions[i]);
      continue;
    }
    if (i == 0 || !plan->steps[i - 1].gpu) RG_TRY(open_segment(t, i));
    t->gpu->segments[t->gpu->segment_count - 1].last = i;
    trace_device_step(t, step);
  }
  for (size_t i = 0; i < plan->graph->outputs.count; i++) read_on_cpu(t, plan->graph->outputs.items[i]);
  return RANGO_OK;
}

/* ---- the device's memory ---- */

static int device_last(const tracer *t, int root) {
  const int last = t->build->classes[root].last;
  return last > t->states[root].last ? last : t->states[root].last;
}

/* One block for each root that the device touches, one for each step's scratch. */
static rango_status place(tracer *t) {
  rg_plan *plan = t->build->plan;
  rg_block *blocks;
  size_t count = 0;
  RG_TRY(rg_arena_calloc(t->build->scratch, (size_t)(plan->slot_count + plan->step_count) + 1, sizeof *blocks,
                         RG_OUT(&blocks)));
  for (int i = 0; i < plan->slot_count; i++)
    if (t->states[i].used_by_device)
      blocks[count++] = (rg_block){.bytes = rg_round_up(device_bytes(t, i), RG_GPU_ALIGNMENT),
                                   .first = t->build->classes[i].first,
                                   .last = device_last(t, i)};
  for (int i = 0; i < plan->step_count; i++)
    if (plan->steps[i].gpu && plan->steps[i].gpu->scratch_bytes > 0)
      blocks[count++] = (rg_block){.bytes = rg_round_up(plan->steps[i].gpu->scratch_bytes, RG_GPU_ALIGNMENT),
                                   .first = t->positions[i],
                                   .last = t->positions[i]};
  for (size_t i = 0; i < count; i++) /* every part is one that can be bound */
    if (blocks[i].bytes == 0) blocks[i].bytes = RG_GPU_ALIGNMENT;
  RG_TRY(rg_memory_plan(blocks, count, &t->gpu->arena_bytes));
  count = 0;
  for (int i = 0; i < plan->slot_count; i++) {
    t->build->classes[i].device_alone = t->states[i].used_by_device && !t->states[i].used_by_cpu;
    if (t->states[i].used_by_device) plan->slots[i].device_offset = blocks[count++].offset;
  }
  for (int i = 0; i < plan->step_count; i++)
    if (plan->steps[i].gpu && plan->steps[i].gpu->scratch_bytes > 0)
      plan->steps[i].scratch_offset = blocks[count++].offset;
  for (int i = 0; i < plan->slot_count; i++)
    plan->slots[i].device_offset = plan->slots[rg_plan_root(t->build, i)].device_offset;
  return RANGO_OK;
}

static void place_transfers(rg_transfers *transfers) {
  size_t staged = 0;
  for (int i = 0; i < transfers->count; i++) {
    transfers->items[i].offset = transfers->items[i].slot->device_offset;
    transfers->items[i].staged = staged;
    staged += rg_round_up(transfers->items[i].bytes, RG_GPU_ALIGNMENT);
  }
}

rango_status rg_gpu_plan_create(rg_plan_builder *build, const int *positions) {
  rg_plan *plan = build->plan;
  int on_device = 0;
  for (int i = 0; i < plan->step_count; i++) on_device += plan->steps[i].gpu != NULL;
  if (on_device == 0) return RANGO_OK;
  tracer t = {.build = build, .positions = positions};
  RG_TRY(rg_arena_calloc(plan->memory, 1, sizeof *t.gpu, RG_OUT(&t.gpu)));
  *t.gpu =
      (rg_gpu_plan){.library = build->session->gpu, .device = build->session->device, .half = build->session->half};
  plan->gpu = t.gpu;
  RG_TRY(rg_arena_calloc(plan->memory, (size_t)on_device, sizeof *t.gpu->segments, RG_OUT(&t.gpu->segments)));
  RG_TRY(rg_arena_calloc(build->scratch, (size_t)plan->slot_count + 1, sizeof *t.states, RG_OUT(&t.states)));
  RG_TRY(trace(&t));
  RG_TRY(place(&t));
  for (int i = 0; i < t.gpu->segment_count; i++) {
    place_transfers(&t.gpu->segments[i].uploads);
    place_transfers(&t.gpu->segments[i].downloads);
  }
  return RANGO_OK;
}

void rg_gpu_plan_close(rg_gpu_plan *gpu) {
  const rg_gpu_backend *backend = gpu->device->backend;
  for (int i = 0; i < gpu->segment_count; i++) {
    rg_gpu_segment *segment = &gpu->segments[i];
    backend->list_free(gpu->device, segment->list);
    backend->buffer_free(gpu->device, segment->uploads.staging);
    backend->buffer_free(gpu->device, segment->downloads.staging);
    segment->list = NULL;
    segment->uploads.staging = segment->downloads.staging = NULL;
  }
  backend->buffer_free(gpu->device, gpu->arena);
  gpu->arena = NULL;
}

void rg_gpu_plan_free(rg_plan *plan) {
  if (!plan->gpu) return;
  rg_gpu_plan_close(plan->gpu);
  for (int i = 0; i < plan->step_count; i++) {
    rg_gpu_prepare *prepare = plan->steps[i].gpu;
    for (int j = 0; prepare && j < prepare->held_count; j++) plan->gpu->library->weight_release(prepare->held[j]);
  }
}
