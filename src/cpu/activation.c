/* Functions of one input, element by element: activations, rango.Activation, Clip, exp, sqrt and the like. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

typedef struct unary_state {
  const rg_vector_kernels *kernels;
  rg_unary_call call;
  rg_shape shape;
  size_t count, cost;
} unary_state;

typedef struct arrays {
  const unary_state *state;
  const float *x;
  float *y;
} arrays;

static void part(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const rg_unary_call *call = &a->state->call;
  a->state->kernels->unary(call->op, call->alpha, call->beta, a->x + begin, a->y + begin, end - begin);
}

static rango_status run(rg_exec *exec) {
  const unary_state *state = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  const arrays a = {state, rg_exec_input(exec, 0)->data, y->data};
  rg_cpu_parallel(exec->threads, state->count, 64, state->count * state->cost, part, &a);
  return RANGO_OK;
}

static rango_status finish(rg_prepare *prepare, rg_unary_call call) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  if (!x || !y || x->type != RANGO_FLOAT32 || !rg_fact_is_concrete(x) || !rg_fact_is_concrete(y)) return RANGO_OK;
  if (prepare->node->inputs[0]->layout != prepare->node->outputs[0]->layout) return RANGO_OK;
  unary_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(y, &state->shape));
  state->kernels = prepare->kernels->vector;
  state->call = call;
  state->count = rg_cpu_count(y, 0, y->rank);
  const bool simple = call.op <= RG_UNARY_LEAKY_RELU || call.op >= RG_UNARY_SQRT;
  state->cost = simple ? 2 : 6;
  prepare->state = state;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

static rango_status prepare_plain(rg_prepare *prepare) {
  static const struct {
    const char *op;
    rg_unary unary;
    float alpha, beta; /* of the attributes where they aren't given */
  } names[] = {
      {"Relu", RG_UNARY_RELU, 0, 0},
      {"LeakyRelu", RG_UNARY_LEAKY_RELU, 0.01f, 0},
      {"Sigmoid", RG_UNARY_SIGMOID, 0, 0},
      {"Tanh", RG_UNARY_TANH, 0, 0},
      {"Erf", RG_UNARY_ERF, 0, 0},
      {"HardSigmoid", RG_UNARY_HARD_SIGMOID, 0.2f, 0.5f},
      {"HardSwish", RG_UNARY_HARD_SWISH, 0, 0},
      {"Elu", RG_UNARY_ELU, 1, 0},
      {"Exp", RG_UNARY_EXP, 0, 0},
      {"Log", RG_UNARY_LOG, 0, 0},
      {"Sqrt", RG_UNARY_SQRT, 0, 0},
      {"Reciprocal", RG_UNARY_RECIPROCAL, 0, 0},
      {"Abs", RG_UNARY_ABS, 0, 0},
      {"Neg", RG_UNARY_NEG, 0, 0},
      {"Floor", RG_UNARY_FLOOR, 0, 0},
      {"Ceil", RG_UNARY_CEIL, 0, 0},
      {"Round", RG_UNARY_ROUND, 0, 0},
  };
  const rg_node *node = prepare->node;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].op, node->op) == 0)
      return finish(prepare, (rg_unary_call){names[i].unary, rg_node_float(node, "alpha", names[i].alpha),
                                             rg_node_float(node, "beta", names[i].beta)});
  return RANGO_OK;
}

static rango_status prepare_gelu(rg_prepare *prepare) {
  const bool by_tanh = strcmp(rg_node_string(prepare->node, "approximate", "none"), "tanh") == 0;
  return finish(prepare, (rg_unary_call){by_tanh ? RG_UNARY_GELU_TANH : RG_UNARY_GELU, 0, 0});
}

static rango_status prepare_swish(rg_prepare *prepare) {
  if (rg_node_float(prepare->node, "alpha", 1) != 1) return RANGO_OK;
  return finish(prepare, (rg_unary_call){RG_UNARY_SILU, 0, 0});
}

static rango_status prepare_activation(rg_prepare *prepare) {
  return finish(prepare, rg_unary_of(rg_activation_read(prepare->node)));
}

/* A bound of Clip from its constant input or attribute; false when it is known at run time alone. */
static bool clip_bound(const rg_prepare *prepare, int input, const char *attribute, float *bound) {
  if (prepare->node->version < 11) {
    *bound = rg_node_float(prepare->node, attribute, *bound);
    return true;
  }
  if (input >= prepare->input_count || !prepare->inputs[input]) return true;
  const rango_tensor *constant = prepare->inputs[input]->constant;
  if (!constant || constant->type != RANGO_FLOAT32 || constant->bytes != sizeof(float)) return false;
  *bound = *(const float *)constant->data;
  return true;
}

static rango_status prepare_clip(rg_prepare *prepare) {
  float low = -FLT_MAX, high = FLT_MAX;
  if (prepare->node->version >= 11) low = -INFINITY, high = INFINITY;
  if (!clip_bound(prepare, 1, "min", &low) || !clip_bound(prepare, 2, "max", &high)) return RANGO_OK;
  return finish(prepare, (rg_unary_call){RG_UNARY_CLIP, low, high});
}

/* Elements stay where they are. Clip may have bounds that are known at run time alone: then the portable code, which
 * doesn't mind the layout either, runs. */
static rg_layout_support any_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  return x && x->type == RANGO_FLOAT32 ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "Activation", prepare_activation, any_layout},
    {"", "Relu", prepare_plain, any_layout},
    {"", "LeakyRelu", prepare_plain, any_layout},
    {"", "Sigmoid", prepare_plain, any_layout},
    {"", "Tanh", prepare_plain, any_layout},
    {"", "Erf", prepare_plain, any_layout},
    {"", "HardSigmoid", prepare_plain, any_layout},
    {"", "HardSwish", prepare_plain, any_layout},
    {"", "Elu", prepare_plain, any_layout},
    {"", "Exp", prepare_plain, any_layout},
    {"", "Log", prepare_plain, any_layout},
    {"", "Sqrt", prepare_plain, any_layout},
    {"", "Reciprocal", prepare_plain, any_layout},
    {"", "Abs", prepare_plain, any_layout},
    {"", "Neg", prepare_plain, any_layout},
    {"", "Floor", prepare_plain, any_layout},
    {"", "Ceil", prepare_plain, any_layout},
    {"", "Round", prepare_plain, any_layout},
    {"", "Gelu", prepare_gelu, any_layout},
    {"", "Swish", prepare_swish, any_layout},
    {"", "Clip", prepare_clip, any_layout},
};
RG_CPU_EXPORT(activation, operators);
