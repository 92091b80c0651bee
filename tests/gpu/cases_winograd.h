/* Convolutions by Winograd's method, and where it is chosen. */
#ifndef TESTS_GPU_CASES_WINOGRAD_H
#define TESTS_GPU_CASES_WINOGRAD_H

#include "cases_product.h"
#include "cases_random.h"
#include "gpu/conv.h"

static bool is_winograd(const rg_gpu_prepare *prepare) {
  for (int i = 0; i < prepare->task_count; i++)
    if (strncmp(rg_gpu_shaders[prepare->tasks[i].shader].name, "winograd_in", 11) == 0) return true;
  return false;
}

static rango_status prepare_tiles(rg_gpu_prepare *prepare, rg_gpu_conv_form form) {
  check_ok(rg_gpu_conv_prepare(prepare, form));
  assert_true(is_winograd(prepare));
  return RANGO_OK;
}

static rango_status prepare_tiles_2(rg_gpu_prepare *prepare) { return prepare_tiles(prepare, RG_GPU_CONV_TILES_2); }
static rango_status prepare_tiles_4(rg_gpu_prepare *prepare) { return prepare_tiles(prepare, RG_GPU_CONV_TILES_4); }

/* As if the device's bindings were small, so that the batch is cut. */
static rango_status prepare_pieces(rg_gpu_prepare *prepare) {
  const size_t bytes = prepare->device->info.binding_bytes;
  prepare->device->info.binding_bytes = 32768;
  prepare_tiles(prepare, RG_GPU_CONV_TILES_4);
  prepare->device->info.binding_bytes = bytes;
  assert_in_range(prepare->task_count, 6, RG_GPU_TASKS_MAX);
  return RANGO_OK;
}

static void check_winograd(const conv_case *k, uint64_t seed, bool bias, bool residual, rg_activation activation) {
  const rg_shape weight = conv_weight(k, k->x.dims[1]);
  const rg_shape y = {4,
                      {k->x.dims[0], k->outputs, k->x.dims[2] + k->pads[0] + k->pads[2] - 2,
                       k->x.dims[3] + k->pads[1] + k->pads[3] - 2}};
  op_case c;
  op_begin(&c, RG_PRIVATE_DOMAIN, "Conv", 1, 4, 1, seed);
  op_floats(&c, 0, false, &k->x, -1, 1);
  op_floats(&c, 1, true, &weight, -1, 1);
  if (bias) op_floats(&c, 2, true, SHAPE(k->outputs), -1, 1);
  if (residual) op_floats(&c, 3, false, &y, -1, 1);
  conv_attributes(c.node, "", k);
  check_ok(rg_activation_write(c.node, activation));
  gpu_check(&c, GPU_CHANNELS_LAST, GPU_FLOAT);
  gpu_prepare_by = NULL;
}

/* Whole tiles and parts of them, channels that are no vectors, all borders, activations that are fused. */
static void test_winograd(void **state) {
  static const int64_t channels[] = {1, 3, 4, 8, 10, 16, 33, 64};
  rg_random random;
  rg_random_seed(&random, 2500);
  for (int turn = 0; turn < 48; turn++) {
    conv_case k = {.kernel = {3, 3}, .strides = {1, 1}, .dilations = {1, 1}, .group = 1};
    for (int i = 0; i < 4; i++) k.pads[i] = random_below(&random, 2);
    k.x = (rg_shape){4,
                     {1 + random_below(&random, 3), channels[random_below(&random, 8)], 2 + random_below(&random, 12),
                      2 + random_below(&random, 12)}};
    for (int i = 0; i < 2; i++)
      if (k.x.dims[2 + i] + k.pads[i] + k.pads[2 + i] < 3) k.pads[i] = 1;
    k.outputs = channels[random_below(&random, 8)];
    gpu_prepare_by = turn % 2 ? prepare_tiles_4 : prepare_tiles_2;
    const rg_activation activation = {(rg_activation_kind)(turn / 2 % (RG_ACT_ELU + 1)), 0.25f, 0.5f};
    check_winograd(&k, 2500 + (uint64_t)turn, random_below(&random, 3) > 0, random_below(&random, 2) > 0, activation);
  }
}

static void test_winograd_in_pieces(void **state) {
  static const conv_case k = {{4, {3, 7, 19, 18}}, 12, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}};
  gpu_prepare_by = prepare_pieces;
  check_winograd(&k, 2560, true, true, product_activations[1]);
}

/* Pairs of which the first, the second, and both go by Winograd's method. */
static void test_low_rank_winograd(void **state) {
  static const conv_case pairs[][2] = {{{{4, {2, 20, 9, 10}}, 12, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
                                        {{4, {0}}, 24, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}},
                                       {{{4, {1, 17, 12, 8}}, 6, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
                                        {{4, {0}}, 32, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}},
                                       {{{4, {3, 16, 7, 7}}, 5, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
                                        {{4, {0}}, 16, 1, {3, 3}, {1, 1}, {1, 0, 1, 0}, {1, 1}}}};
  for (size_t i = 0; i < 6; i++) {
    const conv_case *first = &pairs[i / 2][0], *second = &pairs[i / 2][1];
    const rg_shape w1 = conv_weight(first, first->x.dims[1]), w2 = conv_weight(second, first->outputs);
    op_case c;
    op_begin(&c, RG_PRIVATE_DOMAIN, "LowRankConv", 1, 6, 1, 2565 + i);
    op_floats(&c, 0, false, &first->x, -1, 1);
    op_floats(&c, 1, true, &w1, -1, 1);
    if (i % 2) op_floats(&c, 2, true, SHAPE(first->outputs), -1, 1);
    op_floats(&c, 3, true, &w2, -1, 1);
    op_floats(&c, 4, true, SHAPE(second->outputs), -1, 1);
    conv_attributes(c.node, "1", first);
    conv_attributes(c.node, "2", second);
    check_ok(rg_activation_write(c.node, product_activations[i % 4]));
    gpu_prepare_by = i % 2 ? prepare_tiles_4 : prepare_tiles_2;
    gpu_check(&c, GPU_CHANNELS_LAST, GPU_FLOAT);
    gpu_prepare_by = NULL;
  }
}

/* Many channels of a large batch go by Winograd's method; few, or a stride of 2, don't. */
static void test_winograd_choice(void **state) {
  static const struct {
    conv_case k;
    int64_t batch;
    bool wanted;
  } cases[] = {{{{4, {1, 128, 16, 16}}, 128, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, 256, true},
               {{{4, {1, 3, 16, 16}}, 16, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, 256, false},
               {{{4, {1, 128, 16, 16}}, 128, 1, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}, 256, false}};
  const rg_gpu_library *library = rg_gpu_library_get();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const conv_case *k = &cases[i].k;
    const rg_shape weight = conv_weight(k, k->x.dims[1]);
    const int64_t size = (k->x.dims[2] - 1) / k->strides[0] + 1;
    op_case c;
    op_begin(&c, "", "Conv", 11, 2, 1, 2570);
    op_floats(&c, 0, false, &k->x, -1, 1);
    op_floats(&c, 1, true, &weight, -1, 1);
    conv_attributes(c.node, "", k);
    rg_fact facts[3] = {{0}};
    op_fact(&facts[0], &c.inputs[0]);
    op_fact(&facts[1], &c.inputs[1]);
    facts[0].dims[0] = cases[i].batch;
    facts[1].constant = &c.inputs[1];
    facts[2] = facts[0];
    facts[2].dims[1] = k->outputs;
    facts[2].dims[2] = facts[2].dims[3] = size;
    c.node->inputs[0]->layout = c.node->outputs[0]->layout = RG_CHANNELS_LAST;
    const rg_fact *in[] = {&facts[0], &facts[1]}, *out[] = {&facts[2]};
    rg_gpu_prepare prepare = {
        .node = c.node, .input_count = 2, .output_count = 1, .inputs = in, .outputs = out, .device = gpu_devices[0]};
    check_ok(library->weights_create(prepare.device, &prepare.weights));
    check_ok(library->prepare(&prepare));
    assert_true(prepare.task_count > 0);
    assert_int_equal(is_winograd(&prepare), cases[i].wanted);
    for (int h = 0; h < prepare.held_count; h++) library->weight_release(prepare.held[h]);
    library->weights_free(prepare.weights);
    op_end(&c);
  }
}

#endif
