/* Runs one node through rg_cpu_prepare, as the engine would: facts, layouts, packed weights, and no more scratch than
 * the node asked for. Inputs are float32, given in row-major order and turned into the layout that is wanted. */
#ifndef TESTS_CPU_NODE_HOST_H
#define TESTS_CPU_NODE_HOST_H

#include <math.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/random.h"
#include "cpu/cpu.h"
#include "support/check.h"

#define NODE_INPUTS 6
#define NODE_CANARY 0x7fc0dead /* a NaN */

typedef struct node_host {
  rango_model *model;
  rg_node *node;
  rg_packed_cache *cache;
  rango_tensor inputs[NODE_INPUTS]; /* in their layout */
  bool constant[NODE_INPUTS];
  rg_random random;
  char *scratch;
  size_t scratch_bytes, scratch_used;
  rango_tensor output;
} node_host;

static inline void node_begin(node_host *host, const char *domain, const char *op, int inputs, uint64_t seed) {
  *host = (node_host){0};
  rg_random_seed(&host->random, seed);
  check_ok(rg_model_create(&host->model));
  rg_value *y;
  check_ok(rg_graph_add_value(host->model->graph, "y", &y));
  check_ok(rg_graph_add_node(host->model->graph, NULL, op, domain, 13, inputs, 1, &host->node));
  rg_node_set_output(host->node, 0, y);
  check_ok(rg_packed_cache_create(&host->cache));
}

static inline void node_end(node_host *host) {
  for (int i = 0; i < NODE_INPUTS; i++) rg_tensor_clear(&host->inputs[i]);
  rg_tensor_clear(&host->output);
  rg_packed_cache_free(host->cache);
  rg_model_release(host->model);
  rg_free(host->scratch);
}

/* Position of row-major element i in a tensor of that shape and layout. */
static inline size_t node_position(const rg_shape *shape, rg_layout layout, size_t i) {
  if (layout == RG_ROW_MAJOR) return i;
  size_t pixels = 1, channels = (size_t)shape->dims[1];
  for (int axis = 2; axis < shape->rank; axis++) pixels *= (size_t)shape->dims[axis];
  const size_t image = i / (channels * pixels), channel = i / pixels % channels, pixel = i % pixels;
  return image * channels * pixels + pixel * channels + channel;
}

static inline float node_at(const rango_tensor *tensor, size_t i) {
  return ((const float *)tensor->data)[node_position(&tensor->shape, tensor->layout, i)];
}

/* Input `index`, filled with values from [-1, 1). */
static inline void node_input(node_host *host, int index, bool constant, rg_layout layout, const rg_shape *shape) {
  rango_tensor *tensor = &host->inputs[index];
  rg_value *value;
  int64_t count;
  check_ok(rg_tensor_init(tensor, RANGO_FLOAT32, shape));
  check_ok(rg_shape_count(shape, &count));
  for (int64_t i = 0; i < count; i++)
    ((float *)tensor->data)[i] = (float)(2.0 * rg_random_uniform(&host->random) - 1.0);
  tensor->layout = layout;
  host->constant[index] = constant;
  check_ok(rg_graph_add_value(host->model->graph, NULL, &value));
  value->layout = layout;
  check_ok(rg_node_set_input(host->node, index, value));
}

#define SHAPE(...) (&(rg_shape){.rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = {__VA_ARGS__}})

static inline rango_status node_output_(rg_exec *exec, int index, rango_type type, const rg_shape *shape,
                                        rango_tensor **out) {
  node_host *host = exec->host;
  assert_int_equal(index, 0);
  assert_int_equal(type, RANGO_FLOAT32);
  assert_true(rg_shape_equal(shape, &host->output.shape));
  *out = &host->output;
  return RANGO_OK;
}

static inline rango_status node_scratch_(rg_exec *exec, size_t bytes, void **out) {
  node_host *host = exec->host;
  bytes = rg_round_up(bytes, RG_ALIGNMENT);
  if (bytes > host->scratch_bytes - host->scratch_used)
    return rg_fail(RANGO_ERROR_INTERNAL, "more scratch than asked for");
  *out = host->scratch + host->scratch_used;
  host->scratch_used += bytes;
  return RANGO_OK;
}

/* Pools are made once: starting and ending threads takes longer than the small nodes of a test. */
static inline rango_threads *node_pool_(int threads) {
  static rango_threads *pools[8];
  if (pools[threads] == NULL) check_ok(rango_threads_create(threads, &pools[threads]));
  return pools[threads];
}

static inline void node_facts_(node_host *host, rg_fact *facts, const rg_fact **pointers) {
  for (int i = 0; i < host->node->input_count; i++) {
    pointers[i] = NULL;
    if (host->inputs[i].data == NULL) continue;
    rg_fact_set(&facts[i], RANGO_FLOAT32, host->inputs[i].shape.rank, host->inputs[i].shape.dims);
    facts[i].kind = RG_KIND_TENSOR;
    facts[i].constant = host->constant[i] ? &host->inputs[i] : NULL;
    pointers[i] = &facts[i];
  }
}

/* The output's memory with a canary before and behind it, and in it: what isn't written is seen. */
static inline uint32_t *node_make_output_(node_host *host, const rg_shape *shape, rg_layout layout, size_t *count) {
  int64_t elements;
  uint32_t *memory;
  check_ok(rg_shape_count(shape, &elements));
  *count = (size_t)elements;
  check_ok(rg_alloc((*count + 32) * sizeof(uint32_t), RG_OUT(&memory)));
  for (size_t i = 0; i < *count + 32; i++) memory[i] = NODE_CANARY;
  rg_tensor_init_borrowed(&host->output, RANGO_FLOAT32, shape, memory + 16, *count * sizeof(float));
  host->node->outputs[0]->layout = layout;
  return memory;
}

/* Prepares and runs the node, twice; *result becomes its output in row-major order, the caller's to rg_free. */
static inline void node_run(node_host *host, const char *isa, int threads, rg_layout layout, const rg_shape *shape,
                            float **result) {
  rg_fact facts[NODE_INPUTS] = {0}, output = {0};
  const rg_fact *pointers[NODE_INPUTS], *output_pointer = &output;
  rg_val vals[NODE_INPUTS] = {0};
  const rg_val *val_pointers[NODE_INPUTS];
  const rg_kernels *kernels;
  rg_arena *arena;
  size_t count;
  node_facts_(host, facts, pointers);
  rg_fact_set(&output, RANGO_FLOAT32, shape->rank, shape->dims);
  output.kind = RG_KIND_TENSOR;
  check_ok(rg_kernels_get(isa, &kernels));
  check_ok(rg_arena_create(&arena));
  uint32_t *memory = node_make_output_(host, shape, layout, &count);
  rg_prepare prepare = {.node = host->node,
                        .input_count = host->node->input_count,
                        .output_count = 1,
                        .inputs = pointers,
                        .outputs = &output_pointer,
                        .kernels = kernels,
                        .threads = threads,
                        .cache = host->cache,
                        .arena = arena};
  check_ok(rg_cpu_prepare(&prepare));
  assert_non_null(prepare.run);
  check_ok(rg_alloc(prepare.scratch_bytes, RG_OUT(&host->scratch)));
  memset(host->scratch, 0xff, prepare.scratch_bytes);
  host->scratch_bytes = prepare.scratch_bytes;
  for (int i = 0; i < host->node->input_count; i++) {
    vals[i].kind = RG_KIND_TENSOR;
    vals[i].tensor = host->inputs[i];
    val_pointers[i] = host->inputs[i].data != NULL ? &vals[i] : NULL;
  }
  for (int turn = 0; turn < 2; turn++) {
    rg_exec exec = {.node = host->node,
                    .input_count = host->node->input_count,
                    .output_count = 1,
                    .inputs = val_pointers,
                    .state = prepare.state,
                    .threads = node_pool_(threads),
                    .host = host,
                    .output = node_output_,
                    .scratch = node_scratch_};
    host->scratch_used = 0;
    check_ok(prepare.run(&exec));
  }
  assert_int_equal(host->output.layout, layout);
  for (size_t i = 0; i < 16; i++) {
    assert_int_equal(memory[i], NODE_CANARY);
    assert_int_equal(memory[16 + count + i], NODE_CANARY);
  }
  check_ok(rg_alloc((count + 1) * sizeof(float), RG_OUT(result)));
  for (size_t i = 0; i < count; i++) (*result)[i] = node_at(&host->output, i);
  for (int i = 0; i < prepare.packed_count; i++) rg_packed_release(prepare.packed[i]);
  rg_free(memory);
  rg_free(host->scratch);
  host->output = (rango_tensor){0};
  host->scratch = NULL;
  rg_arena_free(arena);
}

/* Every element within `tolerance` of the truth, relative to the largest of the truth's. */
static inline void node_compare(const char *what, const float *result, const double *truth, size_t count,
                                double tolerance) {
  double largest = 1e-30;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(truth[i]));
  for (size_t i = 0; i < count; i++)
    if (!(fabs(result[i] - truth[i]) <= tolerance * largest))
      fail_msg("%s: element %zu is %g, not %g", what, i, (double)result[i], truth[i]);
}

/* The instruction sets that this CPU runs; NULL at the end. */
static inline const char *const *node_isas(void) {
  static const char *const all[] = {"generic", "neon", "avx2", "avx512"};
  static const char *found[5];
  const rg_kernels *kernels;
  int count = 0;
  for (size_t i = 0; i < 4; i++)
    if (rg_kernels_get(all[i], &kernels) == RANGO_OK) found[count++] = all[i];
  found[count] = NULL;
  return found;
}

/* Runs the node on every instruction set with 1 to 3 threads: each near the truth, and 3 threads twice with the same
 * bits. */
static inline void node_check(node_host *host, const char *what, const double *truth, const rg_shape *shape,
                              rg_layout layout) {
  int64_t count;
  check_ok(rg_shape_count(shape, &count));
  for (const char *const *isa = node_isas(); *isa != NULL; isa++)
    for (int threads = 1; threads <= 3; threads++) {
      float *first, *second = NULL;
      char text[160];
      snprintf(text, sizeof text, "%s, %s, %d threads", what, *isa, threads);
      node_run(host, *isa, threads, layout, shape, &first);
      node_compare(text, first, truth, (size_t)count, 2e-5);
      if (threads == 3) { /* the same bits for the same count */
        node_run(host, *isa, threads, layout, shape, &second);
        assert_memory_equal(first, second, (size_t)count * sizeof(float));
      }
      rg_free(first);
      rg_free(second);
    }
}

#endif
