/* Functions of one input, element by element: activations, rango.Activation, Clip, exp, sqrt and the like. */
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

static rango_status prepare_activation(rg_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  rg_activation activation;
  if (!x || !y || x->type != RANGO_FLOAT32 || !rg_fact_is_concrete(x) || !rg_fact_is_concrete(y)) return RANGO_OK;
  if (prepare->node->inputs[0]->layout != prepare->node->outputs[0]->layout) return RANGO_OK;
  if (!rg_activation_of(prepare->node, &activation)) return RANGO_OK;
  unary_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(y, &state->shape));
  state->kernels = prepare->kernels->vector;
  state->call = rg_unary_of(activation);
  state->count = rg_cpu_count(y, 0, y->rank);
  state->cost = rg_unary_cost(state->call.op) + 1;
  prepare->state = state;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

/* Elements stay where they are. Clip may have bounds that are known at run time alone: then the portable code, which
 * doesn't mind the layout either, runs. */
static rg_layout_support any_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  return x && x->type == RANGO_FLOAT32 ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

/* Other exponents run as Pow does. */
static rg_layout_support power_layout(const rg_node *node, const rg_facts *facts) {
  rg_activation activation;
  return rg_activation_of(node, &activation) ? any_layout(node, facts) : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "Activation", prepare_activation, any_layout},
    {"", "Pow", prepare_activation, power_layout},
    {"", "Relu", prepare_activation, any_layout},
    {"", "LeakyRelu", prepare_activation, any_layout},
    {"", "Sigmoid", prepare_activation, any_layout},
    {"", "Tanh", prepare_activation, any_layout},
    {"", "Erf", prepare_activation, any_layout},
    {"", "HardSigmoid", prepare_activation, any_layout},
    {"", "HardSwish", prepare_activation, any_layout},
    {"", "Elu", prepare_activation, any_layout},
    {"", "Exp", prepare_activation, any_layout},
    {"", "Log", prepare_activation, any_layout},
    {"", "Sqrt", prepare_activation, any_layout},
    {"", "Reciprocal", prepare_activation, any_layout},
    {"", "Abs", prepare_activation, any_layout},
    {"", "Neg", prepare_activation, any_layout},
    {"", "Floor", prepare_activation, any_layout},
    {"", "Ceil", prepare_activation, any_layout},
    {"", "Round", prepare_activation, any_layout},
    {"", "Gelu", prepare_activation, any_layout},
    {"", "Swish", prepare_activation, any_layout},
    {"", "Clip", prepare_activation, any_layout},
};
RG_CPU_EXPORT(activation, operators);
