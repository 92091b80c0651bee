/*
 * Runs a node through rg_cpu_prepare on every instruction set, in both layouts, with one thread and several, in place
 * where that is allowed, and holds the results to the operator's scalar reference (rg_op_evaluate).
 *
 *   op_begin(&c, "", "Add", 14, 2, 1, seed);
 *   op_floats(&c, 0, false, SHAPE(2, 3, 4), -1, 1);
 *   op_floats(&c, 1, true, SHAPE(3, 1), -1, 1);
 *   op_check(&c, OP_BOTH_LAYOUTS, 1e-6);
 */
#ifndef TESTS_CPU_OPERATOR_HOST_H
#define TESTS_CPU_OPERATOR_HOST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/random.h"
#include "cpu/cpu.h"
#include "support/check.h"

#define OP_VALUES 12
#define OP_CANARY 0xa5
#define OP_MARGIN 128 /* canary bytes on both sides of an output */

typedef enum op_layouts { OP_ROW_MAJOR, OP_BOTH_LAYOUTS } op_layouts;

typedef struct op_case {
  rango_model *model;
  rg_node *node;
  rango_tensor inputs[OP_VALUES]; /* row-major */
  bool constant[OP_VALUES];
  rg_random random;
} op_case;

#define SHAPE(...) (&(rg_shape){.rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = {__VA_ARGS__}})

static inline void op_begin(op_case *c, const char *domain, const char *op, int version, int inputs, int outputs,
                            uint64_t seed) {
  *c = (op_case){0};
  rg_random_seed(&c->random, seed);
  check_ok(rg_model_create(&c->model));
  check_ok(rg_graph_add_node(c->model->graph, NULL, op, domain, version, inputs, outputs, &c->node));
  for (int i = 0; i < outputs; i++) {
    rg_value *y;
    check_ok(rg_graph_add_value(c->model->graph, NULL, &y));
    rg_node_set_output(c->node, i, y);
  }
}

static inline void op_attach(op_case *c, int index, bool constant) {
  rg_value *value;
  c->constant[index] = constant;
  if (constant) {
    rango_tensor copy;
    check_ok(rg_tensor_copy(&copy, &c->inputs[index]));
    check_ok(rg_graph_add_constant(c->model->graph, NULL, &copy, &value));
  } else {
    check_ok(rg_graph_add_value(c->model->graph, NULL, &value));
  }
  check_ok(rg_node_set_input(c->node, index, value));
}

/* An input of any type with random elements in [low, high). */
static inline void op_input(op_case *c, int index, bool constant, rango_type type, const rg_shape *shape, double low,
                            double high) {
  int64_t count;
  check_ok(rg_tensor_init(&c->inputs[index], type, shape));
  check_ok(rg_shape_count(shape, &count));
  for (int64_t i = 0; i < count; i++)
    rg_tensor_set_double(&c->inputs[index], i, low + (high - low) * rg_random_uniform(&c->random));
  op_attach(c, index, constant);
}

static inline void op_floats(op_case *c, int index, bool constant, const rg_shape *shape, double low, double high) {
  op_input(c, index, constant, RANGO_FLOAT32, shape, low, high);
}

static inline void op_ints(op_case *c, int index, bool constant, int64_t count, const int64_t *values) {
  check_ok(rg_tensor_init(&c->inputs[index], RANGO_INT64, SHAPE(count)));
  if (count > 0) memcpy(c->inputs[index].data, values, (size_t)count * sizeof *values);
  op_attach(c, index, constant);
}
#define OP_INTS(c, index, constant, ...)                                                                               \
  op_ints((c), (index), (constant), sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})

static inline void op_end(op_case *c) {
  for (int i = 0; i < OP_VALUES; i++) rg_tensor_clear(&c->inputs[i]);
  rg_model_release(c->model);
}

/* ---- layouts ---- */

static inline int64_t op_position(const rg_shape *shape, rg_layout layout, int64_t i) {
  if (layout == RG_ROW_MAJOR || shape->rank < 3) return i;
  int64_t pixels = 1;
  const int64_t channels = shape->dims[1];
  for (int axis = 2; axis < shape->rank; axis++) pixels *= shape->dims[axis];
  return i / (channels * pixels) * channels * pixels + i % pixels * channels + i / pixels % channels;
}

static inline void op_to_layout(const rango_tensor *from, rg_layout layout, rango_tensor *to) {
  int64_t count;
  const size_t bytes = rango_type_bits(from->type) / 8;
  check_ok(rg_tensor_init(to, from->type, &from->shape));
  check_ok(rg_shape_count(&from->shape, &count));
  for (int64_t i = 0; i < count; i++)
    memcpy((char *)to->data + (size_t)op_position(&from->shape, layout, i) * bytes,
           (const char *)from->data + (size_t)i * bytes, bytes);
  to->layout = layout;
}

/* ---- running ---- */

typedef struct op_run {
  const op_case *c;
  const rg_val *expected;          /* [outputs] */
  rango_tensor outputs[OP_VALUES]; /* over memory with margins */
  char *scratch;
  size_t scratch_bytes, scratch_used;
} op_run;

static inline rango_status op_output_(rg_exec *exec, int index, rango_type type, const rg_shape *shape,
                                      rango_tensor **out) {
  op_run *run = exec->host;
  assert_int_equal(type, run->outputs[index].type);
  assert_true(rg_shape_equal(shape, &run->outputs[index].shape));
  *out = &run->outputs[index];
  return RANGO_OK;
}

static inline rango_status op_scratch_(rg_exec *exec, size_t bytes, void **out) {
  op_run *run = exec->host;
  bytes = rg_round_up(bytes, RG_ALIGNMENT);
  assert_true(bytes <= run->scratch_bytes - run->scratch_used); /* no more than it asked for */
  *out = run->scratch + run->scratch_used;
  run->scratch_used += bytes;
  return RANGO_OK;
}

static inline void op_fact(rg_fact *fact, const rango_tensor *tensor) {
  rg_fact_set(fact, tensor->type, tensor->shape.rank, tensor->shape.dims);
  fact->kind = RG_KIND_TENSOR;
}

static inline void op_compare(const op_case *c, const char *how, int index, const rango_tensor *y, rg_layout layout,
                              const rango_tensor *truth, double tolerance) {
  int64_t count;
  check_ok(rg_shape_count(&truth->shape, &count));
  double largest = 1e-30;
  for (int64_t i = 0; i < count; i++)
    if (isfinite(rg_tensor_get_double(truth, i))) largest = fmax(largest, fabs(rg_tensor_get_double(truth, i)));
  for (int64_t i = 0; i < count; i++) {
    const double is = rg_tensor_get_double(y, op_position(&truth->shape, layout, i));
    const double should = rg_tensor_get_double(truth, i);
    if (is == should || (isnan(is) && isnan(should)) || fabs(is - should) <= tolerance * largest) continue;
    fail_msg("%s, %s: output %d, element %lld is %.9g, not %.9g", c->node->op, how, index, (long long)i, is, should);
  }
}

/* One run. In place: output 0 lies on input 0. */
static inline void op_once(op_run *run, const rg_prepare *prepare, rango_threads *pool, const rango_tensor *inputs,
                           rg_layout layout, bool in_place, const char *how, double tolerance) {
  const op_case *c = run->c;
  rg_val vals[OP_VALUES] = {0};
  const rg_val *pointers[OP_VALUES];
  char *memory[OP_VALUES];
  for (int i = 0; i < c->node->output_count; i++) {
    const rango_tensor *truth = &run->expected[i].tensor;
    memory[i] = malloc(truth->bytes + 2 * OP_MARGIN);
    memset(memory[i], OP_CANARY, truth->bytes + 2 * OP_MARGIN);
    rg_tensor_init_borrowed(&run->outputs[i], truth->type, &truth->shape, memory[i] + OP_MARGIN, truth->bytes);
    run->outputs[i].layout = truth->shape.rank >= 3 ? layout : RG_ROW_MAJOR;
  }
  for (int i = 0; i < c->node->input_count; i++) {
    vals[i] = (rg_val){.kind = RG_KIND_TENSOR, .tensor = inputs[i]};
    if (i == 0 && in_place) {
      memcpy(run->outputs[0].data, inputs[0].data, inputs[0].bytes);
      vals[0].tensor.data = run->outputs[0].data;
    }
    pointers[i] = c->node->inputs[i] ? &vals[i] : NULL;
  }
  rg_exec exec = {.node = c->node,
                  .input_count = c->node->input_count,
                  .output_count = c->node->output_count,
                  .inputs = pointers,
                  .state = prepare->state,
                  .threads = pool,
                  .host = run,
                  .output = op_output_,
                  .scratch = op_scratch_};
  run->scratch_used = 0;
  memset(run->scratch, 0xff, run->scratch_bytes);
  check_ok(prepare->run(&exec));
  for (int i = 0; i < c->node->output_count; i++) {
    const size_t bytes = run->expected[i].tensor.bytes;
    for (size_t m = 0; m < OP_MARGIN; m++) {
      assert_int_equal((unsigned char)memory[i][m], OP_CANARY);
      assert_int_equal((unsigned char)memory[i][OP_MARGIN + bytes + m], OP_CANARY);
    }
    op_compare(c, how, i, &run->outputs[i], run->outputs[i].layout, &run->expected[i].tensor, tolerance);
    free(memory[i]);
  }
}

static inline void op_variant(op_case *c, const rg_val *expected, const char *isa, int threads, rg_layout layout,
                              double tolerance) {
  char how[80];
  snprintf(how, sizeof how, "%s, %d threads, %s", isa, threads, layout == RG_ROW_MAJOR ? "row-major" : "channels-last");
  const rg_kernels *kernels;
  rg_arena *arena;
  rg_packed_cache *cache;
  rango_threads *pool;
  rg_fact in_facts[OP_VALUES] = {0}, out_facts[OP_VALUES] = {0};
  const rg_fact *in[OP_VALUES] = {0}, *out[OP_VALUES] = {0};
  rango_tensor inputs[OP_VALUES] = {0};
  check_ok(rg_kernels_get(isa, &kernels));
  check_ok(rg_arena_create(&arena));
  check_ok(rg_packed_cache_create(&cache));
  check_ok(rango_threads_create(threads, &pool));
  for (int i = 0; i < c->node->output_count; i++) {
    op_fact(&out_facts[i], &expected[i].tensor);
    out[i] = &out_facts[i];
    c->node->outputs[i]->layout = expected[i].tensor.shape.rank >= 3 ? layout : RG_ROW_MAJOR;
  }
  for (int i = 0; i < c->node->input_count; i++) {
    if (!c->node->inputs[i]) continue;
    const bool image = c->inputs[i].shape.rank >= 3 && !c->constant[i];
    op_to_layout(&c->inputs[i], image ? layout : RG_ROW_MAJOR, &inputs[i]);
    c->node->inputs[i]->layout = inputs[i].layout;
    op_fact(&in_facts[i], &inputs[i]);
    if (c->constant[i]) in_facts[i].constant = &inputs[i];
    in[i] = &in_facts[i];
  }
  rg_prepare prepare = {.node = c->node,
                        .input_count = c->node->input_count,
                        .output_count = c->node->output_count,
                        .inputs = in,
                        .outputs = out,
                        .kernels = kernels,
                        .threads = threads,
                        .cache = cache,
                        .arena = arena};
  check_ok(rg_cpu_prepare(&prepare));
  if (!prepare.run) fail_msg("%s, %s: no kernel", c->node->op, how);
  op_run run = {.c = c, .expected = expected, .scratch_bytes = prepare.scratch_bytes};
  run.scratch = aligned_alloc(RG_ALIGNMENT, rg_round_up(prepare.scratch_bytes + 1, RG_ALIGNMENT));
  op_once(&run, &prepare, pool, inputs, layout, false, how, tolerance);
  if (prepare.in_place && inputs[0].type == expected[0].tensor.type &&
      rg_shape_equal(&inputs[0].shape, &expected[0].tensor.shape))
    op_once(&run, &prepare, pool, inputs, layout, true, how, tolerance);
  free(run.scratch);
  for (int i = 0; i < prepare.packed_count; i++) rg_packed_release(prepare.packed[i]);
  for (int i = 0; i < c->node->input_count; i++) rg_tensor_clear(&inputs[i]);
  rango_threads_free(pool);
  rg_packed_cache_free(cache);
  rg_arena_free(arena);
}

/* What the layout pass is told. */
static inline rg_layout_support op_layout_support(op_case *c, const rg_val *expected) {
  rg_facts facts = {.items = calloc((size_t)c->model->value_count + 1, sizeof(rg_fact))};
  for (int i = 0; i < c->node->input_count; i++)
    if (c->node->inputs[i]) op_fact(&facts.items[c->node->inputs[i]->id], &c->inputs[i]);
  for (int i = 0; i < c->node->output_count; i++) op_fact(&facts.items[c->node->outputs[i]->id], &expected[i].tensor);
  const rg_layout_support support = rg_cpu_layout_support(c->node, &facts);
  free(facts.items);
  return support;
}

/* Checks all variants, and frees the case. `tolerance` is relative to the largest element of the truth. */
static inline void op_check(op_case *c, op_layouts layouts, double tolerance) {
  static const char *const isas[] = {"generic", "neon", "avx2", "avx512"};
  rg_val vals[OP_VALUES] = {0}, expected[OP_VALUES] = {0};
  const rg_val *pointers[OP_VALUES] = {0};
  const rg_kernels *kernels;
  int run = 0;
  for (int i = 0; i < c->node->input_count; i++) {
    vals[i] = (rg_val){.kind = RG_KIND_TENSOR, .tensor = c->inputs[i]};
    pointers[i] = c->node->inputs[i] ? &vals[i] : NULL;
  }
  check_ok(rg_ops_resolve(c->model, true));
  check_ok(rg_op_evaluate(c->node, true, pointers, expected));
  if (layouts == OP_BOTH_LAYOUTS) assert_int_equal(op_layout_support(c, expected), RG_LAYOUT_ANY);
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
    if (rg_kernels_get(isas[i], &kernels) != RANGO_OK) continue;
    for (int threads = 1; threads <= 3; threads += 2) {
      op_variant(c, expected, isas[i], threads, RG_ROW_MAJOR, tolerance);
      if (layouts == OP_BOTH_LAYOUTS) op_variant(c, expected, isas[i], threads, RG_CHANNELS_LAST, tolerance);
    }
    run++;
  }
  assert_true(run > 0);
  for (int i = 0; i < c->node->output_count; i++) rg_val_clear(&expected[i]);
  op_end(c);
}

#endif
