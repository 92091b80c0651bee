/* rango.Attention. */
#ifndef TESTS_GPU_CASES_ATTENTION_H
#define TESTS_GPU_CASES_ATTENTION_H

#include "node_host.h"

/* How an operand's [batch, head, row, column] lie in an input: their axes there (-1: none), and an axis with three
 * places of which the second is read. */
typedef struct attention_form {
  int rank, axes[4], picked;
} attention_form;

static const attention_form attention_forms[] = {
    {4, {0, 2, 1, 3}, -1}, {4, {0, 1, 2, 3}, -1},  {4, {0, 1, 3, 2}, -1},
    {5, {0, 3, 1, 4}, 2},  {3, {-1, 0, 1, 2}, -1}, {2, {-1, -1, 0, 1}, -1},
};

static void attention_operand(op_case *c, int input, const attention_form *form, const int64_t *sizes) {
  static const char *const names[][2] = {{"q_axes", "q_pick"}, {"k_axes", "k_pick"}, {"v_axes", "v_pick"}};
  rg_shape shape = {.rank = form->rank};
  int64_t axes[4];
  size_t count = 0;
  for (int i = 0; i < 4; i++) {
    if (form->axes[i] < 0) continue;
    shape.dims[form->axes[i]] = sizes[i];
    axes[count++] = form->axes[i];
  }
  if (form->picked >= 0) shape.dims[form->picked] = 3;
  op_floats(c, input, false, &shape, -1, 1);
  check_ok(rg_node_set_ints(c->node, names[input][0], axes, count));
  if (form->picked >= 0) check_ok(rg_node_set_ints(c->node, names[input][1], (const int64_t[]){form->picked, 1}, 2));
}

/* For keys, for rows and keys, for everything, or none; some keys are hidden, but not a row's first. */
static void attention_mask(op_case *c, int turn, int64_t batch, int64_t heads, int64_t rows, int64_t keys) {
  const rg_shape shapes[] = {
      {4, {batch, 1, 1, keys}}, {2, {rows, keys}}, {4, {batch, heads, rows, keys}}, {4, {1, heads, rows, 1}}};
  if (turn == 4) return;
  op_floats(c, 3, turn == 1, &shapes[turn], -1, 1);
  float *mask = c->inputs[3].data;
  for (int64_t i = 0; i < (int64_t)(c->inputs[3].bytes / sizeof *mask); i++)
    if (turn < 3 && i % keys > 0 && i % 3 == 0) mask[i] = -INFINITY;
  if (c->constant[3]) memcpy(c->node->inputs[3]->constant->data, mask, c->inputs[3].bytes);
}

static void attention_case(uint64_t seed, const int64_t *s, const attention_form *const *forms, int turn, bool causal) {
  op_case c;
  op_begin(&c, RG_PRIVATE_DOMAIN, "Attention", 1, turn == 4 ? 3 : 4, 1, seed);
  attention_operand(&c, 0, forms[0], (const int64_t[]){s[0], s[1], s[2], s[4]});
  attention_operand(&c, 1, forms[1], (const int64_t[]){s[0], s[1], s[3], s[4]});
  attention_operand(&c, 2, forms[2], (const int64_t[]){s[0], s[1], s[3], s[5]});
  attention_mask(&c, turn, s[0], s[1], s[2], s[3]);
  check_ok(rg_node_set_float(c.node, "scale", 1.0f / sqrtf((float)s[4])));
  check_ok(rg_node_set_int(c.node, "causal", causal));
  if (seed % 2) check_ok(rg_node_set_ints(c.node, "axes", (const int64_t[]){0, 2, 1, 3}, 4));
  gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
}

static void test_attention(void **state) {
  static const int64_t sizes[][6] = {/* batch, heads, rows, keys, inner, columns */
                                     {1, 1, 1, 1, 1, 1},      {2, 3, 17, 19, 5, 7},    {1, 2, 65, 64, 32, 32},
                                     {2, 2, 64, 65, 33, 64},  {1, 2, 33, 130, 64, 48}, {3, 1, 70, 31, 100, 128},
                                     {1, 2, 129, 97, 128, 3}, {1, 4, 64, 64, 16, 16}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int turn = 0; turn < 5; turn++) {
      const attention_form *forms[3];
      for (size_t k = 0; k < 3; k++)
        forms[k] = &attention_forms[k == 0 ? ((size_t)turn + i) % 4 : ((size_t)turn + k + i) % 6];
      attention_case(1700 + 10 * i + (uint64_t)turn, sizes[i], forms, turn, (i + (size_t)turn) % 3 == 0);
    }
}

/* A row that sees no key is NaN, as its softmax is; scores far below zero are not lost. */
static void test_attention_hidden(void **state) {
  const attention_form *const forms[] = {&attention_forms[1], &attention_forms[1], &attention_forms[1]};
  op_case c;
  op_begin(&c, RG_PRIVATE_DOMAIN, "Attention", 1, 4, 1, 1800);
  attention_operand(&c, 0, forms[0], (const int64_t[]){1, 2, 5, 8});
  attention_operand(&c, 1, forms[1], (const int64_t[]){1, 2, 40, 8});
  attention_operand(&c, 2, forms[2], (const int64_t[]){1, 2, 40, 8});
  op_floats(&c, 3, false, SHAPE(5, 40), 0, 0);
  float *mask = c.inputs[3].data;
  for (int key = 0; key < 40; key++) {
    mask[40 + key] = -INFINITY;
    mask[80 + key] = -60000;
    mask[120 + key] = key == 39 ? 0 : -INFINITY;
  }
  gpu_check(&c, GPU_ROW_MAJOR, GPU_FLOAT);
}

static void test_attention_too_wide(void **state) {
  const attention_form *form = &attention_forms[1];
  op_case c;
  op_begin(&c, RG_PRIVATE_DOMAIN, "Attention", 1, 3, 1, 1801);
  for (int i = 0; i < 3; i++) attention_operand(&c, i, form, (const int64_t[]){1, 1, 4, 129});
  gpu_check_wanted(&c, GPU_ROW_MAJOR, GPU_LEFT_TO_CPU, GPU_FLOAT);
}

#endif
