#include "ops/elementwise.h"

#include <string.h>

#define NUMBERS 6 /* of a step: kind, a, b, its activation's kind, and alpha and beta bit by bit */

bool rg_step_of(const rg_node *node, rg_step *out) {
  static const char *const names[] = {
      [RG_STEP_ADD] = "Add", [RG_STEP_SUB] = "Sub", [RG_STEP_MUL] = "Mul",    [RG_STEP_DIV] = "Div",
      [RG_STEP_MIN] = "Min", [RG_STEP_MAX] = "Max", [RG_STEP_PRELU] = "PRelu"};
  *out = (rg_step){0};
  if (node->input_count > 0 && rg_activation_of(node, &out->activation)) return true;
  if (node->input_count != 2 || node->version < 7) return false; /* before opset 7, broadcasting was another */
  for (int kind = RG_STEP_ADD; kind < RG_STEP_COUNT; kind++) {
    out->kind = (rg_step_kind)kind;
    if (rg_node_is(node, names[kind])) return true;
  }
  return false;
}

rango_status rg_steps_write(rg_node *node, const rg_steps *steps) {
  int64_t numbers[RG_STEPS_MAX][NUMBERS];
  for (int i = 0; i < steps->count; i++) {
    const rg_step *step = &steps->items[i];
    int32_t alpha, beta;
    memcpy(&alpha, &step->activation.alpha, sizeof alpha);
    memcpy(&beta, &step->activation.beta, sizeof beta);
    const int64_t row[NUMBERS] = {step->kind, step->a, step->b, step->activation.kind, alpha, beta};
    memcpy(numbers[i], row, sizeof row);
  }
  return rg_node_set_ints(node, "steps", numbers[0], (size_t)steps->count * NUMBERS);
}

bool rg_steps_read(const rg_node *node, rg_steps *out) {
  size_t count;
  const int64_t *numbers = rg_node_ints(node, "steps", &count);
  if (count == 0 || count % NUMBERS != 0 || count / NUMBERS > RG_STEPS_MAX) return false;
  out->count = (int)(count / NUMBERS);
  for (int i = 0; i < out->count; i++, numbers += NUMBERS) {
    rg_step *step = &out->items[i];
    const int64_t operands = node->input_count + i;
    if (numbers[0] < 0 || numbers[0] >= RG_STEP_COUNT || numbers[3] < 0 || numbers[3] >= RG_ACT_COUNT ||
        numbers[1] < 0 || numbers[1] >= operands || numbers[2] < 0 || numbers[2] >= operands)
      return false;
    const int32_t alpha = (int32_t)numbers[4], beta = (int32_t)numbers[5];
    *step = (rg_step){.kind = (rg_step_kind)numbers[0],
                      .activation = {.kind = (rg_activation_kind)numbers[3]},
                      .a = (int)numbers[1],
                      .b = (int)numbers[2]};
    memcpy(&step->activation.alpha, &alpha, sizeof alpha);
    memcpy(&step->activation.beta, &beta, sizeof beta);
  }
  return true;
}
