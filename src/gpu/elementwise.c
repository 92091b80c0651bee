/* Functions of one element and chains of arithmetic on float32: rango.Elementwise, rango.Activation and the standard
 * operators, all lists of steps of one shader. */
#include <string.h>

#include "gpu/elementwise.h"
#include "gpu/nest.h"
#include "ops/elementwise.h"

/* Of shaders/elementwise.comp. */
#define ARRAYS       7
#define NUMBERS      10
#define KEPT         8
#define OPERAND_ACC  7 /* the result of the step before; kept ones follow */
#define FIRST_KEPT   8
#define FIRST_NUMBER 16
#define NO_OPERAND   (-1)

/* Beyond rg_activation_kind. */
typedef enum op {
  OP_SOFTPLUS = 23,
  OP_ADD = 32,
  OP_SUB,
  OP_MUL,
  OP_DIV,
  OP_MIN,
  OP_MAX,
  OP_PRELU,
  OP_POW,
  OP_SUB_FROM,
  OP_DIV_INTO,
  OP_POW_OF
} op;
_Static_assert((int)RG_ACT_COUNT == (int)OP_SOFTPLUS, "shaders/activation.glsl numbers the functions alike");

typedef struct push {
  uint32_t count, dims[RG_GPU_NEST_AXES - 1], magic[RG_GPU_NEST_AXES - 1], masks[2], steps, codes[RG_STEPS_MAX / 2];
  float numbers[NUMBERS];
} push;
_Static_assert(sizeof(push) == RG_GPU_PUSH_MAX * sizeof(uint32_t), "as the shader declares it");

typedef struct program {
  const rg_gpu_prepare *prepare;
  int arrays[ARRAYS], array_count; /* the node's inputs */
  int operands[2 * RG_STEPS_MAX];  /* of the node's inputs; NO_OPERAND: not read yet */
  int number_count, kept_count;
  push push;
} program;

/* ---- operands ---- */

/* What the next number is called; NO_OPERAND where there is no room. */
static int add_number(program *p, float number) {
  if (p->number_count == NUMBERS) return NO_OPERAND;
  p->push.numbers[p->number_count] = number;
  return FIRST_NUMBER + p->number_count++;
}

static bool is_number(int operand) { return operand >= FIRST_NUMBER; }

static int operand_of(program *p, int input) {
  const rg_gpu_prepare *prepare = p->prepare;
  int *operand = &p->operands[input];
  uint32_t count;
  if (*operand != NO_OPERAND) return *operand;
  const rg_fact *fact = prepare->inputs[input];
  if (!rg_gpu_is_float(fact) || !rg_gpu_count(fact, &count)) return NO_OPERAND;
  if (fact->constant && count == 1 && fact->rank <= prepare->outputs[0]->rank) {
    *operand = add_number(p, (float)rg_tensor_get_double(fact->constant, 0));
  } else if (p->array_count < ARRAYS) {
    p->arrays[p->array_count] = input;
    *operand = p->array_count++;
  }
  return *operand;
}

/* ---- steps ---- */

static bool add_code(program *p, int code, int a, int b, bool keep) {
  if (a < 0 || b < 0 || p->push.steps == RG_STEPS_MAX || (keep && ++p->kept_count > KEPT)) return false;
  const uint32_t word = (uint32_t)code | (uint32_t)a << 6 | (uint32_t)b << 10 | (keep ? 0x8000u : 0);
  p->push.codes[p->push.steps / 2] |= word << (p->push.steps % 2 * 16);
  p->push.steps++;
  return true;
}

static bool has_parameters(rg_activation_kind kind) {
  return kind == RG_ACT_CLIP || kind == RG_ACT_LEAKY_RELU || kind == RG_ACT_HARD_SIGMOID || kind == RG_ACT_ELU;
}

static bool add_function(program *p, rg_activation function, int a, bool keep) {
  int parameters = 0;
  if (is_number(a)) return false;
  if (has_parameters(function.kind)) {
    parameters = add_number(p, function.alpha);
    if (add_number(p, function.beta) == NO_OPERAND) return false;
  }
  return add_code(p, (int)function.kind, a, parameters, keep);
}

/* The shader takes a number on the right alone. */
static bool add_binary(program *p, op code, int a, int b, bool keep) {
  if (!is_number(a)) return add_code(p, (int)code, a, b, keep);
  if (is_number(b) || code == OP_PRELU) return false;
  const op swapped = code == OP_SUB ? OP_SUB_FROM : code == OP_DIV ? OP_DIV_INTO : code == OP_POW ? OP_POW_OF : code;
  return add_code(p, (int)swapped, b, a, keep);
}

/* Whether a later step than the next one reads the result of step i. */
static bool is_kept(const rg_steps *steps, int inputs, int i) {
  for (int k = i + 2; k < steps->count; k++) {
    const rg_step *step = &steps->items[k];
    if (step->a == inputs + i || (step->kind != RG_STEP_ACTIVATION && step->b == inputs + i)) return true;
  }
  return false;
}

static bool add_steps(program *p, const rg_steps *steps) {
  static const op codes[] = {
      [RG_STEP_ADD] = OP_ADD, [RG_STEP_SUB] = OP_SUB, [RG_STEP_MUL] = OP_MUL,    [RG_STEP_DIV] = OP_DIV,
      [RG_STEP_MIN] = OP_MIN, [RG_STEP_MAX] = OP_MAX, [RG_STEP_PRELU] = OP_PRELU};
  const int inputs = p->prepare->input_count;
  int kept[RG_STEPS_MAX] = {0};
  for (int i = 0; i < steps->count; i++) {
    const rg_step *step = &steps->items[i];
    int operands[2] = {step->a, step->b};
    for (int side = 0; side < (step->kind == RG_STEP_ACTIVATION ? 1 : 2); side++) {
      const int result = operands[side] - inputs;
      operands[side] = result < 0 ? operand_of(p, operands[side]) : result == i - 1 ? OPERAND_ACC : kept[result];
    }
    const bool keep = is_kept(steps, inputs, i);
    kept[i] = FIRST_KEPT + p->kept_count;
    if (step->kind == RG_STEP_ACTIVATION ? !add_function(p, step->activation, operands[0], keep)
                                         : !add_binary(p, codes[step->kind], operands[0], operands[1], keep))
      return false;
  }
  return true;
}

/* ---- nodes ---- */

/* Sum, Mean, Min and Max of any number of inputs. */
static bool add_many(program *p) {
  const rg_node *node = p->prepare->node;
  const int inputs = p->prepare->input_count;
  const rg_step_kind kind = rg_node_is(node, "Min") ? RG_STEP_MIN : rg_node_is(node, "Max") ? RG_STEP_MAX : RG_STEP_ADD;
  rg_steps steps = {.count = 1};
  if (inputs > ARRAYS + NUMBERS || inputs > RG_STEPS_MAX) return false;
  for (int i = 1; i < inputs; i++)
    steps.items[i - 1] = (rg_step){.kind = kind, .a = i == 1 ? 0 : inputs + i - 2, .b = i};
  if (inputs > 1) steps.count = inputs - 1;
  if (!add_steps(p, &steps)) return false;
  return !rg_node_is(node, "Mean") || add_binary(p, OP_MUL, OPERAND_ACC, add_number(p, 1.0f / (float)inputs), false);
}

/* Clip whose bounds aren't known beforehand: the upper one wins. */
static bool add_clip(program *p) {
  int x = operand_of(p, 0);
  if (p->prepare->node->version < 11) return false;
  for (int i = 1; i < p->prepare->input_count; i++) {
    if (!p->prepare->inputs[i]) continue;
    if (!add_binary(p, i == 1 ? OP_MAX : OP_MIN, x, operand_of(p, i), false)) return false;
    x = OPERAND_ACC;
  }
  return p->push.steps > 0;
}

static bool add_node(program *p) {
  const rg_node *node = p->prepare->node;
  rg_steps steps = {.count = 1};
  if (strcmp(node->domain, RG_PRIVATE_DOMAIN) == 0 && strcmp(node->op, "Elementwise") == 0)
    return rg_steps_read(node, &steps) && add_steps(p, &steps);
  if (rg_step_of(node, &steps.items[0])) {
    steps.items[0].b = 1;
    return add_steps(p, &steps);
  }
  if (rg_node_is(node, "Clip")) return add_clip(p);
  if (rg_node_is(node, "Softplus")) return add_code(p, OP_SOFTPLUS, operand_of(p, 0), 0, false);
  if (node->version < 7) return false; /* another broadcasting */
  if (rg_node_is(node, "Pow")) return add_binary(p, OP_POW, operand_of(p, 0), operand_of(p, 1), false);
  const bool many =
      rg_node_is(node, "Sum") || rg_node_is(node, "Mean") || rg_node_is(node, "Min") || rg_node_is(node, "Max");
  return many && add_many(p);
}

static bool place_arrays(program *p, uint32_t count) {
  rg_gpu_nest nest;
  rg_gpu_nest_broadcast(&nest, p->prepare, p->arrays, p->array_count);
  p->push.count = count;
  if (!rg_gpu_nest_dims(&nest, p->push.dims)) return false;
  rg_gpu_nest_magic(p->push.dims, p->push.magic);
  for (int i = 0; i < p->array_count; i++) {
    uint32_t mask;
    if (!rg_gpu_nest_mask(&nest, i, &mask)) return false;
    p->push.masks[i / 4] |= mask << (i % 4 * 8);
  }
  return true;
}

static rango_status prepare_elementwise(rg_gpu_prepare *prepare) {
  program p = {.prepare = prepare};
  uint32_t count, first;
  if (!rg_gpu_is_float(prepare->outputs[0]) || !rg_gpu_count(prepare->outputs[0], &count) || count == 0 ||
      prepare->input_count > 2 * RG_STEPS_MAX)
    return RANGO_OK;
  for (int i = 0; i < prepare->input_count; i++) p.operands[i] = NO_OPERAND;
  if (!add_node(&p) || p.array_count == 0 || !place_arrays(&p, count)) return RANGO_OK;
  rg_gpu_task *task = rg_gpu_add(prepare, rg_gpu_variant(prepare, RG_SHADER_elementwise));
  for (int i = 0; i < p.array_count; i++) RG_TRY(rg_gpu_operand_of(prepare, p.arrays[i], &task->operands[i]));
  task->operands[ARRAYS] = rg_gpu_out(0);
  memcpy(task->push, &p.push, sizeof p.push);
  if (!rg_gpu_groups(prepare, task, count, 1024)) prepare->task_count = 0;
  /* Each element of a dense input of the result's size is read by the thread that writes it. */
  prepare->in_place = p.operands[0] == 0 && !prepare->inputs[0]->constant && (p.push.masks[0] & 255) == RG_GPU_DENSE &&
                      rg_gpu_count(prepare->inputs[0], &first) && first == count;
  return RANGO_OK;
}

static rango_status prepare_arithmetic(rg_gpu_prepare *prepare) {
  return rg_gpu_is_float(prepare->outputs[0]) ? prepare_elementwise(prepare) : rg_gpu_prepare_integers(prepare);
}

static const rg_gpu_operator operators[] = {
    {"", "Add", prepare_arithmetic},
    {"", "Sub", prepare_arithmetic},
    {"", "Mul", prepare_arithmetic},
    {"", "Div", prepare_arithmetic},
    {"", "Min", prepare_arithmetic},
    {"", "Max", prepare_arithmetic},
    {RG_PRIVATE_DOMAIN, "Elementwise", prepare_elementwise},
    {RG_PRIVATE_DOMAIN, "Activation", prepare_elementwise},
    {"", "PRelu", prepare_elementwise},
    {"", "Pow", prepare_elementwise},
    {"", "Sum", prepare_elementwise},
    {"", "Mean", prepare_elementwise},
    {"", "Clip", prepare_elementwise},
    {"", "Relu", prepare_elementwise},
    {"", "LeakyRelu", prepare_elementwise},
    {"", "Sigmoid", prepare_elementwise},
    {"", "Tanh", prepare_elementwise},
    {"", "Erf", prepare_elementwise},
    {"", "HardSigmoid", prepare_elementwise},
    {"", "HardSwish", prepare_elementwise},
    {"", "Elu", prepare_elementwise},
    {"", "Exp", prepare_elementwise},
    {"", "Log", prepare_elementwise},
    {"", "Sqrt", prepare_elementwise},
    {"", "Reciprocal", prepare_elementwise},
    {"", "Abs", prepare_elementwise},
    {"", "Neg", prepare_elementwise},
    {"", "Floor", prepare_elementwise},
    {"", "Ceil", prepare_elementwise},
    {"", "Round", prepare_elementwise},
    {"", "Gelu", prepare_elementwise},
    {"", "Swish", prepare_elementwise},
    {"", "Softplus", prepare_elementwise},
};
RG_GPU_EXPORT(elementwise, operators);
