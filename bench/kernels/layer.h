/* One layer alone, prepared by the CPU backend as the engine would, on one thread, with random numbers: for programs
 * that time layers. Images are channels-last on both sides, as between the layers of a network. */
#ifndef BENCH_LAYER_H
#define BENCH_LAYER_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/checked.h"
#include "base/random.h"
#include "cpu/conv.h"

#define LAYER_INPUTS 6

typedef struct layer {
  rango_model *model;
  rg_node *node;
  rg_packed_cache *cache;
  rg_arena *arena;
  rango_tensor inputs[LAYER_INPUTS], output;
  bool constant[LAYER_INPUTS];
  rg_fact facts[LAYER_INPUTS + 1];
  const rg_fact *fact_of[LAYER_INPUTS + 1];
  rg_val values[LAYER_INPUTS];
  const rg_val *value_of[LAYER_INPUTS];
  rg_prepare prepare;
  char *scratch;
  size_t scratch_used;
} layer;

static inline void layer_need(rango_status status) {
  if (status == RANGO_OK) return;
  fprintf(stderr, "%s\n", rango_error_message());
  exit(1);
}

/* `isa` NULL: the CPU's best. */
static inline void layer_begin(layer *l, const char *isa, const char *op, int inputs) {
  rg_value *y;
  *l = (layer){0};
  layer_need(rg_kernels_get(isa, &l->prepare.kernels));
  layer_need(rg_model_create(&l->model));
  layer_need(rg_arena_create(&l->arena));
  layer_need(rg_packed_cache_create(&l->cache));
  layer_need(rg_graph_add_value(l->model->graph, "y", &y));
  layer_need(rg_graph_add_node(l->model->graph, NULL, op, RG_PRIVATE_DOMAIN, 1, inputs, 1, &l->node));
  rg_node_set_output(l->node, 0, y);
}

static inline rg_layout layer_layout(const rg_shape *shape) {
  return shape->rank > 2 ? RG_CHANNELS_LAST : RG_ROW_MAJOR;
}

static inline void layer_input(layer *l, int index, bool constant, const rg_shape *shape) {
  rango_tensor *tensor = &l->inputs[index];
  rg_random random;
  rg_value *value;
  int64_t count;
  rg_random_seed(&random, (uint64_t)index);
  layer_need(rg_tensor_init(tensor, RANGO_FLOAT32, shape));
  layer_need(rg_shape_count(shape, &count));
  for (int64_t i = 0; i < count; i++) ((float *)tensor->data)[i] = (float)(2.0 * rg_random_uniform(&random) - 1.0);
  tensor->layout = constant ? RG_ROW_MAJOR : layer_layout(shape);
  l->constant[index] = constant;
  layer_need(rg_graph_add_value(l->model->graph, NULL, &value));
  value->layout = tensor->layout;
  layer_need(rg_node_set_input(l->node, index, value));
}

static inline rango_status layer_output_(rg_exec *exec, int index, rango_type type, const rg_shape *shape,
                                         rango_tensor **out) {
  layer *l = exec->host;
  (void)index, (void)type, (void)shape;
  *out = &l->output;
  return RANGO_OK;
}

static inline rango_status layer_scratch_(rg_exec *exec, size_t bytes, void **out) {
  layer *l = exec->host;
  *out = l->scratch + l->scratch_used;
  l->scratch_used += rg_round_up(bytes, RG_ALIGNMENT);
  return RANGO_OK;
}

static inline rango_status layer_run_direct_(rg_exec *exec) {
  const rg_conv *conv = exec->state;
  layer *l = exec->host;
  rg_conv_operands operands = {.conv = conv, .y = l->output.data};
  void *scratch;
  RG_TRY(rg_exec_scratch(exec, conv->scratch, &scratch));
  return rg_conv_run(exec, l->inputs[0].data, &operands, (rg_activation){RG_ACT_NONE, 0, 0}, scratch);
}

/* After all inputs and attributes. False where the backend has no kernel for it. `direct`: a convolution of one image
 * as the product of its windows, whatever the backend would choose. */
static inline bool layer_ready(layer *l, const rg_shape *shape, bool direct) {
  const int inputs = l->node->input_count;
  for (int i = 0; i < inputs; i++) {
    if (l->inputs[i].data == NULL) continue;
    rg_fact_set(&l->facts[i], RANGO_FLOAT32, l->inputs[i].shape.rank, l->inputs[i].shape.dims);
    l->facts[i].kind = RG_KIND_TENSOR;
    l->facts[i].constant = l->constant[i] ? &l->inputs[i] : NULL;
    l->fact_of[i] = &l->facts[i];
    l->values[i].kind = RG_KIND_TENSOR;
    l->values[i].tensor = l->inputs[i];
    l->value_of[i] = &l->values[i];
  }
  layer_need(rg_tensor_init(&l->output, RANGO_FLOAT32, shape));
  l->node->outputs[0]->layout = layer_layout(shape);
  rg_fact_set(&l->facts[inputs], RANGO_FLOAT32, shape->rank, shape->dims);
  l->facts[inputs].kind = RG_KIND_TENSOR;
  l->fact_of[inputs] = &l->facts[inputs];
  l->prepare.node = l->node;
  l->prepare.input_count = inputs;
  l->prepare.output_count = 1;
  l->prepare.inputs = l->fact_of;
  l->prepare.outputs = l->fact_of + inputs;
  l->prepare.threads = 1;
  l->prepare.cache = l->cache;
  l->prepare.arena = l->arena;
  if (direct) {
    /* Winograd's method wants a residual channels-last, though there is none. */
    const rg_conv_parts parts = {
        "", l->fact_of[0], l->fact_of[inputs], RG_CHANNELS_LAST, RG_CHANNELS_LAST, RG_ROW_MAJOR, 1};
    rg_conv *conv;
    layer_need(rg_arena_alloc(l->arena, sizeof *conv, RG_OUT(&conv)));
    layer_need(rg_conv_prepare(&l->prepare, &parts, conv));
    l->prepare.scratch_bytes += rg_round_up(conv->scratch, RG_ALIGNMENT);
    l->prepare.state = conv;
    l->prepare.run = layer_run_direct_;
  } else {
    layer_need(rg_cpu_prepare(&l->prepare));
  }
  if (l->prepare.run == NULL) return false;
  layer_need(rg_alloc(l->prepare.scratch_bytes, RG_OUT(&l->scratch)));
  return true;
}

static inline double layer_clock(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static inline void layer_run(layer *l, int repeat) {
  rg_exec exec = {.node = l->node,
                  .input_count = l->node->input_count,
                  .output_count = 1,
                  .inputs = l->value_of,
                  .state = l->prepare.state,
                  .host = l,
                  .output = layer_output_,
                  .scratch = layer_scratch_};
  for (int i = 0; i < repeat; i++) {
    l->scratch_used = 0;
    layer_need(l->prepare.run(&exec));
  }
}

/* Seconds of one run, from `repeat` runs in the thread's own time. */
static inline double layer_seconds(layer *l, int repeat) {
  const double begin = layer_clock();
  layer_run(l, repeat);
  return (layer_clock() - begin) / repeat;
}

static inline void layer_end(layer *l) {
  for (int i = 0; i < l->prepare.packed_count; i++) rg_packed_release(l->prepare.packed[i]);
  for (int i = 0; i < LAYER_INPUTS; i++) rg_tensor_clear(&l->inputs[i]);
  rg_tensor_clear(&l->output);
  rg_free(l->scratch);
  rg_packed_cache_free(l->cache);
  rg_arena_free(l->arena);
  rg_model_release(l->model);
}

#define LAYER_SHAPE(...)                                                                                               \
  (&(rg_shape){.rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = {__VA_ARGS__}})

/* ---- the layers ---- */

static inline bool layer_dense(layer *l, const char *isa, int64_t rows, int64_t in, int64_t out) {
  layer_begin(l, isa, "Dense", 2);
  layer_input(l, 0, false, LAYER_SHAPE(rows, in));
  layer_input(l, 1, true, LAYER_SHAPE(in, out));
  return layer_ready(l, LAYER_SHAPE(rows, out), false);
}

static inline bool layer_dense_pair(layer *l, const char *isa, int64_t rows, int64_t in, int64_t rank, int64_t out) {
  layer_begin(l, isa, "LowRankDense", 6);
  layer_input(l, 0, false, LAYER_SHAPE(rows, in));
  layer_input(l, 1, true, LAYER_SHAPE(in, rank));
  layer_input(l, 3, true, LAYER_SHAPE(rank, out));
  return layer_ready(l, LAYER_SHAPE(rows, out), false);
}

/* A convolution of stride 1 that keeps the image's size; attributes end with `suffix`. */
static inline void layer_window(layer *l, const char *suffix, int64_t kernel_h, int64_t kernel_w, int64_t group) {
  const int64_t pads[4] = {kernel_h / 2, kernel_w / 2, kernel_h / 2, kernel_w / 2}, kernel[2] = {kernel_h, kernel_w};
  char name[32];
  snprintf(name, sizeof name, "pads%s", suffix);
  layer_need(rg_node_set_ints(l->node, name, pads, 4));
  snprintf(name, sizeof name, "kernel_shape%s", suffix);
  layer_need(rg_node_set_ints(l->node, name, kernel, 2));
  snprintf(name, sizeof name, "group%s", suffix);
  layer_need(rg_node_set_int(l->node, name, group));
}

typedef struct image {
  int64_t batch, height, width;
} image;

static inline bool layer_conv(layer *l, const char *isa, image size, int64_t in, int64_t out, int64_t kernel_h,
                              int64_t kernel_w, int64_t group, bool direct) {
  layer_begin(l, isa, "Conv", 2);
  layer_input(l, 0, false, LAYER_SHAPE(size.batch, in, size.height, size.width));
  layer_input(l, 1, true, LAYER_SHAPE(out, in / group, kernel_h, kernel_w));
  layer_window(l, "", kernel_h, kernel_w, group);
  return layer_ready(l, LAYER_SHAPE(size.batch, out, size.height, size.width), direct);
}

/* kernel x kernel and then 1 x 1 or, `separated`, kernel x 1 and then 1 x kernel. */
static inline bool layer_conv_pair(layer *l, const char *isa, image size, int64_t in, int64_t rank, int64_t out,
                                   int64_t kernel, bool separated) {
  const int64_t first_w = separated ? 1 : kernel, second_w = separated ? kernel : 1;
  layer_begin(l, isa, "LowRankConv", 6);
  layer_input(l, 0, false, LAYER_SHAPE(size.batch, in, size.height, size.width));
  layer_input(l, 1, true, LAYER_SHAPE(rank, in, kernel, first_w));
  layer_input(l, 3, true, LAYER_SHAPE(out, rank, 1, second_w));
  layer_window(l, "1", kernel, first_w, 1);
  layer_window(l, "2", 1, second_w, 1);
  return layer_ready(l, LAYER_SHAPE(size.batch, out, size.height, size.width), false);
}

#endif
