/*
 * Runs a node through the GPU room on every device present, in float32 and in half storage, in both layouts, in place
 * where that is allowed, and holds the results to the operator's scalar reference (rg_op_evaluate).
 *
 *   op_begin(&c, "", "Add", 14, 2, 1, seed);            cases are made as for the CPU's tests
 *   op_floats(&c, 0, false, SHAPE(2, 3, 4), -1, 1);
 *   op_floats(&c, 1, true, SHAPE(3, 1), -1, 1);
 *   gpu_check(&c, GPU_BOTH_LAYOUTS, 1e-4);
 *
 * Tolerances are relative to the largest element of the truth. Float inputs are rounded to float16 before anything is
 * computed with them, so that with half storage only results are rounded: by 2^-11, to which GPU_HALF leaves room for a
 * second rounding of what a node's own tasks hand on.
 */
#ifndef TESTS_GPU_NODE_HOST_H
#define TESTS_GPU_NODE_HOST_H

#include "cpu/operator_host.h"
#include "devices.h"
#include "gpu/families.h"

#define GPU_FLOAT        1e-4
#define GPU_EXACT        0
#define GPU_HALF         (2.0 / 2048)
#define GPU_CANARY_BYTES 256 /* behind what belongs to an output */
#define GPU_SEEN_MAX     512

/* How the values of three and more axes lie that are no constants. */
typedef enum gpu_layouts {
  GPU_ROW_MAJOR,
  GPU_BOTH_LAYOUTS, /* all in the one, then all in the other */
  GPU_CHANNELS_LAST,
  GPU_LAST_IN, /* inputs channels-last, outputs row-major */
  GPU_LAST_OUT
} gpu_layouts;

/* Operators that had a case, "domain.op". */
static const char *gpu_seen[GPU_SEEN_MAX][2];
static int gpu_seen_count;

static inline void gpu_note(const rg_node *node) {
  for (int i = 0; i < gpu_seen_count; i++)
    if (strcmp(gpu_seen[i][0], node->domain) == 0 && strcmp(gpu_seen[i][1], node->op) == 0) return;
  assert_true(gpu_seen_count < GPU_SEEN_MAX);
  gpu_seen[gpu_seen_count][0] = strdup(node->domain);
  gpu_seen[gpu_seen_count++][1] = strdup(node->op);
}

/* ---- devices, opened once ---- */

static rg_gpu_device *gpu_devices[16];
static int gpu_device_count;

static inline int gpu_open_all(void **state) {
  for (size_t b = 0; b < sizeof backend_names / sizeof *backend_names; b++) {
    const rg_gpu_backend *backend = rg_gpu_library_get()->backend(backend_names[b]);
    int count = 0;
    if (backend && backend->count(&count) != RANGO_OK) return -1;
    for (int i = 0; i < count && gpu_device_count < 16; i++)
      if (rg_gpu_library_get()->open(backend_names[b], i, &gpu_devices[gpu_device_count++]) != RANGO_OK) return -1;
  }
  return 0;
}

static inline int gpu_close_all(void **state) {
  while (gpu_device_count > 0) rg_gpu_library_get()->close(gpu_devices[--gpu_device_count]);
  for (int i = 0; i < gpu_seen_count; i++) {
    free((char *)gpu_seen[i][0]);
    free((char *)gpu_seen[i][1]);
  }
  return 0;
}

/* Prepares nodes, in place of the library: for tests that ask for one way of several. */
static rango_status (*gpu_prepare_by)(rg_gpu_prepare *prepare);

/* ---- a node's values on a device ---- */

typedef struct gpu_run {
  const op_case *c;
  const rg_val *expected; /* [outputs] */
  rg_gpu_device *device;
  bool half;
  char how[160];
  rg_gpu_prepare prepare;
  rg_gpu_buffer *buffer;
  rg_gpu_part inputs[OP_VALUES], outputs[OP_VALUES], scratch;
} gpu_run;

static inline bool gpu_is_half(const gpu_run *run, rango_type type) { return run->half && type == RANGO_FLOAT32; }

static inline rg_gpu_part gpu_part(const gpu_run *run, const rango_tensor *tensor, size_t *end) {
  const rg_gpu_part part = {NULL, *end, gpu_is_half(run, tensor->type) ? tensor->bytes / 2 : tensor->bytes};
  *end += rg_round_up(part.bytes, RG_GPU_ALIGNMENT) + RG_GPU_ALIGNMENT;
  return part;
}

/* Inputs behind each other, outputs and scratch behind them; all NaN that isn't an input. */
static inline void gpu_place(gpu_run *run, const rango_tensor *inputs) {
  const rg_node *node = run->c->node;
  size_t end = 0;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) run->inputs[i] = gpu_part(run, &inputs[i], &end);
  for (int i = 0; i < node->output_count; i++) run->outputs[i] = gpu_part(run, &run->expected[i].tensor, &end);
  run->scratch = (rg_gpu_part){NULL, end, run->prepare.scratch_bytes};
  end += rg_round_up(run->prepare.scratch_bytes + 1, RG_GPU_ALIGNMENT);
  run->buffer = make_buffer(run->device, RG_GPU_LOCAL, end);
  char *memory = malloc(end);
  memset(memory, 0xff, end);
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    run->inputs[i].buffer = run->buffer;
    if (gpu_is_half(run, inputs[i].type))
      rg_narrow(RANGO_FLOAT16, inputs[i].data, (uint16_t *)(memory + run->inputs[i].offset), inputs[i].bytes / 4);
    else if (inputs[i].bytes > 0)
      memcpy(memory + run->inputs[i].offset, inputs[i].data, inputs[i].bytes);
  }
  for (int i = 0; i < node->output_count; i++) run->outputs[i].buffer = run->buffer;
  run->scratch.buffer = run->buffer;
  write_buffer(run->device, run->buffer, 0, memory, end);
  free(memory);
}

static inline void gpu_execute(const gpu_run *run, const rg_gpu_places *places) {
  const rg_gpu_library *library = rg_gpu_library_get();
  const rg_gpu_backend *backend = run->device->backend;
  rg_gpu_recorder recorder = {0};
  rg_gpu_list *list;
  for (int i = 0; i < run->prepare.task_count; i++)
    check_ok(library->record_task(&recorder, &run->prepare.tasks[i], places));
  check_ok(backend->list_create(run->device, recorder.commands.items, recorder.commands.count, &list));
  check_ok(backend->list_run(run->device, list));
  backend->list_free(run->device, list);
  library->recorder_clear(&recorder);
}

/* Output `index`, and that nothing behind it was touched. */
static inline void gpu_compare(const gpu_run *run, int index, rg_gpu_part part, double tolerance) {
  const rango_tensor *truth = &run->expected[index].tensor;
  const size_t whole = rg_round_up(part.bytes, RG_GPU_ALIGNMENT);
  rango_tensor y;
  unsigned char *memory = malloc(whole + GPU_CANARY_BYTES);
  read_buffer(run->device, run->buffer, part.offset, memory, whole + GPU_CANARY_BYTES);
  check_ok(rg_tensor_init(&y, truth->type, &truth->shape));
  const bool half = gpu_is_half(run, truth->type);
  if (half)
    rg_widen(RANGO_FLOAT16, (const uint16_t *)memory, y.data, y.bytes / 4);
  else if (y.bytes > 0)
    memcpy(y.data, memory, y.bytes);
  op_compare(run->c, run->how, index, &y, run->c->node->outputs[index]->layout, truth,
             half && tolerance > 0 ? tolerance + GPU_HALF : tolerance);
  for (size_t i = 0; i < GPU_CANARY_BYTES; i++) assert_int_equal(memory[whole + i], 0xff);
  rg_tensor_clear(&y);
  free(memory);
}

static inline bool gpu_may_be_in_place(const gpu_run *run) {
  return run->prepare.in_place && run->c->node->inputs[0] && !run->c->constant[0] &&
         run->c->inputs[0].type == run->expected[0].tensor.type && run->inputs[0].bytes == run->outputs[0].bytes;
}

static inline void gpu_run_prepared(gpu_run *run, const rango_tensor *inputs, double tolerance) {
  gpu_place(run, inputs);
  const rg_gpu_places places = {run->inputs, run->outputs, run->scratch};
  gpu_execute(run, &places);
  for (int i = 0; i < run->c->node->output_count; i++) gpu_compare(run, i, run->outputs[i], tolerance);
  if (gpu_may_be_in_place(run)) {
    rg_gpu_part part = run->outputs[0];
    run->outputs[0] = run->inputs[0];
    strcat(run->how, ", in place");
    gpu_execute(run, &places);
    gpu_compare(run, 0, run->inputs[0], tolerance);
    run->outputs[0] = part;
  }
  run->device->backend->buffer_free(run->device, run->buffer);
}

/* ---- one way of running a case ---- */

typedef enum gpu_wanted { GPU_RUNS, GPU_LEFT_TO_CPU } gpu_wanted;

static inline void gpu_variant(op_case *c, const rg_val *expected, rg_gpu_device *device, bool half, rg_layout from,
                               rg_layout to, gpu_wanted wanted, double tolerance) {
  static const char *const names[] = {[RG_ROW_MAJOR] = "row-major", [RG_CHANNELS_LAST] = "channels-last"};
  const rg_gpu_library *library = rg_gpu_library_get();
  gpu_run run = {.c = c, .expected = expected, .device = device, .half = half};
  rg_fact in_facts[OP_VALUES] = {0}, out_facts[OP_VALUES] = {0};
  const rg_fact *in[OP_VALUES] = {0}, *out[OP_VALUES] = {0};
  rango_tensor inputs[OP_VALUES] = {0};
  bool empty = true;
  snprintf(run.how, sizeof run.how, "%.80s, %s, %s to %s", device->info.name, half ? "half" : "float32", names[from],
           names[to]);
  for (int i = 0; i < c->node->output_count; i++) {
    op_fact(&out_facts[i], &expected[i].tensor);
    out[i] = &out_facts[i];
    empty = empty && expected[i].tensor.bytes == 0;
    c->node->outputs[i]->layout = expected[i].tensor.shape.rank >= 3 ? to : RG_ROW_MAJOR;
  }
  for (int i = 0; i < c->node->input_count; i++) {
    if (!c->node->inputs[i]) continue;
    const bool image = c->inputs[i].shape.rank >= 3 && !c->constant[i];
    op_to_layout(&c->inputs[i], image ? from : RG_ROW_MAJOR, &inputs[i]);
    c->node->inputs[i]->layout = inputs[i].layout;
    op_fact(&in_facts[i], &inputs[i]);
    if (c->constant[i]) in_facts[i].constant = &inputs[i];
    in[i] = &in_facts[i];
  }
  run.prepare = (rg_gpu_prepare){.node = c->node,
                                 .input_count = c->node->input_count,
                                 .output_count = c->node->output_count,
                                 .inputs = in,
                                 .outputs = out,
                                 .device = device,
                                 .half = half};
  check_ok(library->weights_create(device, &run.prepare.weights));
  check_ok((gpu_prepare_by ? gpu_prepare_by : library->prepare)(&run.prepare));
  if (wanted == GPU_RUNS && run.prepare.task_count == 0 && !empty) fail_msg("%s, %s: no shader", c->node->op, run.how);
  if (wanted == GPU_LEFT_TO_CPU) assert_int_equal(run.prepare.task_count, 0);
  if (run.prepare.task_count > 0) gpu_run_prepared(&run, inputs, tolerance);
  for (int i = 0; i < run.prepare.held_count; i++) library->weight_release(run.prepare.held[i]);
  library->weights_free(run.prepare.weights);
  for (int i = 0; i < c->node->input_count; i++) rg_tensor_clear(&inputs[i]);
}

/* Float32 elements as float16 holds them, in the case and in the node's constant. */
static inline void gpu_round_inputs(op_case *c) {
  for (int i = 0; i < c->node->input_count; i++) {
    if (!c->node->inputs[i] || c->inputs[i].type != RANGO_FLOAT32) continue;
    float *x = c->inputs[i].data;
    for (size_t k = 0; k < c->inputs[i].bytes / sizeof *x; k++) x[k] = rg_half_to_float(rg_float_to_half(x[k]));
    if (c->constant[i] && c->inputs[i].bytes > 0) memcpy(c->node->inputs[i]->constant->data, x, c->inputs[i].bytes);
  }
}

/* The truth: what the scalar reference makes of row-major inputs. A layout changes no value. */
static inline void gpu_evaluate(const op_case *c, rg_val *expected) {
  rg_val vals[OP_VALUES] = {0};
  const rg_val *pointers[OP_VALUES] = {0};
  for (int i = 0; i < c->node->input_count; i++) {
    vals[i] = (rg_val){.kind = RG_KIND_TENSOR, .tensor = c->inputs[i]};
    pointers[i] = c->node->inputs[i] ? &vals[i] : NULL;
  }
  check_ok(rg_ops_resolve(c->model, true));
  if (strcmp(c->node->op, "Layout") != 0) {
    check_ok(rg_op_evaluate(c->node, true, pointers, expected));
    return;
  }
  expected->kind = RG_KIND_TENSOR;
  check_ok(rg_tensor_copy(&expected->tensor, &c->inputs[0]));
}

/* Checks all variants, and frees the case. */
static inline void gpu_check_wanted(op_case *c, gpu_layouts layouts, gpu_wanted wanted, double tolerance) {
  rg_val expected[OP_VALUES] = {0};
  gpu_note(c->node);
  gpu_round_inputs(c);
  gpu_evaluate(c, expected);
  for (int d = 0; d < gpu_device_count; d++)
    for (int half = 0; half <= (gpu_devices[d]->info.half ? 1 : 0); half++) {
      const rg_layout from = layouts == GPU_LAST_IN || layouts == GPU_CHANNELS_LAST ? RG_CHANNELS_LAST : RG_ROW_MAJOR;
      const rg_layout to = layouts == GPU_LAST_OUT || layouts == GPU_CHANNELS_LAST ? RG_CHANNELS_LAST : RG_ROW_MAJOR;
      gpu_variant(c, expected, gpu_devices[d], half, from, to, wanted, tolerance);
      if (layouts == GPU_BOTH_LAYOUTS)
        gpu_variant(c, expected, gpu_devices[d], half, RG_CHANNELS_LAST, RG_CHANNELS_LAST, wanted, tolerance);
    }
  for (int i = 0; i < OP_VALUES; i++) rg_val_clear(&expected[i]);
  op_end(c);
}

static inline void gpu_check(op_case *c, gpu_layouts layouts, double tolerance) {
  gpu_check_wanted(c, layouts, GPU_RUNS, tolerance);
}

#endif
