/* Add, Sub, Mul, Div, Min, Max and PRelu; comparisons; Where. Any broadcasting, any layouts. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/nest.h"
#include "kernels/vector.h"

typedef struct elementwise_state {
  const rg_vector_kernels *kernels;
  rg_nest nest;
  rg_shape shape;
  rg_nest_body body; /* of a comparison */
  union {
    rg_binary binary;
    rg_compare compare;
  };
} elementwise_state;

typedef struct arrays {
  const elementwise_state *state;
  const void *in[RG_NEST_INPUTS];
  void *out;
} arrays;

static bool is_float(const rg_prepare *prepare, int first) {
  for (int i = first; i < prepare->input_count; i++)
    if (!prepare->inputs[i] || prepare->inputs[i]->type != RANGO_FLOAT32 || !rg_fact_is_concrete(prepare->inputs[i]))
      return false;
  return prepare->outputs[0] != NULL && rg_fact_is_concrete(prepare->outputs[0]);
}

static rango_status make_state(rg_prepare *prepare, int inputs, elementwise_state **out) {
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof **out, RG_OUT(out)));
  elementwise_state *state = *out;
  state->kernels = prepare->kernels->vector;
  rg_nest_make(&state->nest, prepare, 0, inputs);
  prepare->state = state;
  return rg_fact_shape(prepare->outputs[0], &state->shape);
}

static rg_operand operand(const arrays *a, const rg_nest *nest, const rg_nest_block *block, int i) {
  return (rg_operand){(const float *)a->in[i] + block->at[i], nest->steps[i][nest->rank - 2],
                      nest->steps[i][nest->rank - 1] == 0};
}

static rango_status collect(rg_exec *exec, rango_type type, arrays *out) {
  const elementwise_state *state = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, type, &state->shape, &y));
  *out = (arrays){.state = state, .out = y->data};
  for (int i = 0; i < state->nest.inputs; i++) out->in[i] = rg_exec_input(exec, i)->data;
  return RANGO_OK;
}

/* ---- arithmetic ---- */

static void binary_block(const void *argument, const rg_nest *nest, const rg_nest_block *block) {
  const arrays *a = argument;
  const rg_operand left = operand(a, nest, block, 0), right = operand(a, nest, block, 1);
  a->state->kernels->binary(a->state->binary, &left, &right, (float *)a->out + block->out, block->rows, block->cols);
}

static rango_status run_binary(rg_exec *exec) {
  const elementwise_state *state = exec->state;
  arrays a;
  RG_TRY(collect(exec, RANGO_FLOAT32, &a));
  rg_nest_run(&state->nest, exec->threads, 3, binary_block, &a);
  return RANGO_OK;
}

static rango_status prepare_binary(rg_prepare *prepare) {
  static const struct {
    const char *op;
    rg_binary binary;
  } names[] = {{"Add", RG_BINARY_ADD}, {"Sub", RG_BINARY_SUB}, {"Mul", RG_BINARY_MUL},    {"Div", RG_BINARY_DIV},
               {"Min", RG_BINARY_MIN}, {"Max", RG_BINARY_MAX}, {"PRelu", RG_BINARY_PRELU}};
  if (prepare->input_count != 2 || !is_float(prepare, 0) || prepare->node->version < 7) return RANGO_OK;
  elementwise_state *state;
  RG_TRY(make_state(prepare, 2, &state));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].op, prepare->node->op) == 0) state->binary = names[i].binary;
  prepare->run = run_binary;
  prepare->in_place = true;
  return RANGO_OK;
}

/* ---- comparisons ---- */

static void compare_block(const void *argument, const rg_nest *nest, const rg_nest_block *block) {
  const arrays *a = argument;
  const rg_operand left = operand(a, nest, block, 0), right = operand(a, nest, block, 1);
  a->state->kernels->compare(a->state->compare, &left, &right, (uint8_t *)a->out + block->out, block->rows,
                             block->cols);
}

/* Equal of integers, which masks are made with. */
#define EQUAL(type)                                                                                                    \
  static void equal_##type(const void *argument, const rg_nest *nest, const rg_nest_block *block) {                    \
    const arrays *both = argument;                                                                                     \
    const size_t *a_steps = &nest->steps[0][nest->rank - 2], *b_steps = &nest->steps[1][nest->rank - 2];               \
    uint8_t *y = (uint8_t *)both->out + block->out;                                                                    \
    for (size_t r = 0; r < block->rows; r++, y += block->cols) {                                                       \
      const type *a = (const type *)both->in[0] + block->at[0] + r * a_steps[0];                                       \
      const type *b = (const type *)both->in[1] + block->at[1] + r * b_steps[0];                                       \
      for (size_t c = 0; c < block->cols; c++) y[c] = a[c * a_steps[1]] == b[c * b_steps[1]];                          \
    }                                                                                                                  \
  }
EQUAL(int32_t)
EQUAL(int64_t)

static rango_status run_compare(rg_exec *exec) {
  const elementwise_state *state = exec->state;
  arrays a;
  RG_TRY(collect(exec, RANGO_BOOL, &a));
  rg_nest_run(&state->nest, exec->threads, 3, state->body, &a);
  return RANGO_OK;
}

/* The two inputs' type where they are alike, and shapes are known. */
static rango_type common_type(const rg_prepare *prepare) {
  const rg_fact *a = prepare->inputs[0], *b = prepare->inputs[1], *y = prepare->outputs[0];
  const bool known = a && b && y && rg_fact_is_concrete(a) && rg_fact_is_concrete(b) && rg_fact_is_concrete(y);
  return known && a->type == b->type ? a->type : RANGO_UNDEFINED;
}

static rango_status prepare_compare(rg_prepare *prepare) {
  static const struct {
    const char *op;
    rg_compare compare;
  } names[] = {{"Equal", RG_COMPARE_EQUAL},
               {"Less", RG_COMPARE_LESS},
               {"LessOrEqual", RG_COMPARE_LESS_EQUAL},
               {"Greater", RG_COMPARE_GREATER},
               {"GreaterOrEqual", RG_COMPARE_GREATER_EQUAL}};
  if (prepare->input_count != 2 || prepare->node->version < 7) return RANGO_OK;
  const rango_type type = common_type(prepare);
  const bool equal = rg_node_is(prepare->node, "Equal");
  const rg_nest_body body = type == RANGO_FLOAT32          ? compare_block
                            : type == RANGO_INT32 && equal ? equal_int32_t
                            : type == RANGO_INT64 && equal ? equal_int64_t
                                                           : NULL;
  if (!body) return RANGO_OK;
  elementwise_state *state;
  RG_TRY(make_state(prepare, 2, &state));
  state->body = body;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].op, prepare->node->op) == 0) state->compare = names[i].compare;
  prepare->run = run_compare;
  return RANGO_OK;
}

/* ---- Where ---- */

static void where_block(const void *argument, const rg_nest *nest, const rg_nest_block *block) {
  const arrays *a = argument;
  const uint8_t *condition = (const uint8_t *)a->in[0] + block->at[0];
  float *y = (float *)a->out + block->out;
  const int rows = nest->rank - 2;
  for (size_t r = 0; r < block->rows; r++, y += block->cols) {
    const uint8_t *c = condition + r * nest->steps[0][rows];
    const float *yes = (const float *)a->in[1] + block->at[1] + r * nest->steps[1][rows];
    const float *no = (const float *)a->in[2] + block->at[2] + r * nest->steps[2][rows];
    bool yes_scalar = nest->steps[1][rows + 1] == 0, no_scalar = nest->steps[2][rows + 1] == 0;
    if (nest->steps[0][rows + 1] == 0) { /* one condition for the row: one side, whole */
      const rg_operand side = *c ? (rg_operand){yes, 0, yes_scalar} : (rg_operand){no, 0, no_scalar};
      const rg_operand one = {(const float[]){1.0f}, 0, true};
      a->state->kernels->binary(RG_BINARY_MUL, &side, &one, y, 1, block->cols);
    } else {
      a->state->kernels->where(c, yes, yes_scalar, no, no_scalar, y, block->cols);
    }
  }
}

static rango_status run_where(rg_exec *exec) {
  const elementwise_state *state = exec->state;
  arrays a;
  RG_TRY(collect(exec, RANGO_FLOAT32, &a));
  rg_nest_run(&state->nest, exec->threads, 3, where_block, &a);
  return RANGO_OK;
}

static rango_status prepare_where(rg_prepare *prepare) {
  if (!is_float(prepare, 1) || !rg_fact_is_concrete(prepare->inputs[0])) return RANGO_OK;
  elementwise_state *state;
  RG_TRY(make_state(prepare, 3, &state));
  prepare->run = run_where;
  return RANGO_OK;
}

/* ---- layouts ---- */

/* Either layout will do where every input is an image of the output's rank, or as good as one: a scalar, or a constant
 * with one size besides 1 (per channel). Others would be read with a stride. */
static rg_layout_support any_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *out = rg_facts_of(facts, node->outputs[0]);
  if (node->input_count != 2 || node->version < 7) return RG_LAYOUT_NONE;
  for (int i = 0; i < node->input_count; i++) {
    const rg_fact *in = node->inputs[i] ? rg_facts_of(facts, node->inputs[i]) : NULL;
    if (!in || !out || in->rank < 0 || out->rank < 3) return RG_LAYOUT_NONE;
    if (in->type != RANGO_FLOAT32) return RG_LAYOUT_NONE;
    int wide = 0;
    for (int d = 0; d < in->rank; d++) wide += in->dims[d] != 1;
    if (rg_value_constant(node->inputs[i]) ? wide > 1 : wide > 0 && in->rank != out->rank) return RG_LAYOUT_NONE;
  }
  return RG_LAYOUT_ANY;
}

static const rg_cpu_operator operators[] = {
    {"", "Add", prepare_binary, any_layout},   {"", "Sub", prepare_binary, any_layout},
    {"", "Mul", prepare_binary, any_layout},   {"", "Div", prepare_binary, any_layout},
    {"", "Min", prepare_binary, any_layout},   {"", "Max", prepare_binary, any_layout},
    {"", "PRelu", prepare_binary, any_layout}, {"", "Equal", prepare_compare, NULL},
    {"", "Less", prepare_compare, NULL},       {"", "LessOrEqual", prepare_compare, NULL},
    {"", "Greater", prepare_compare, NULL},    {"", "GreaterOrEqual", prepare_compare, NULL},
    {"", "Where", prepare_where, NULL},
};
RG_CPU_EXPORT(elementwise, operators);
