/* Adjoints of arithmetic: y = f(a, b) elementwise, inputs broadcast. */
#include <math.h>

#include "adjoint/backward.h"

static rg_value *input(rg_backward *b, int index) { return rg_back_value(b, rg_back_input(b, index)); }
static rg_value *output(rg_backward *b) { return rg_back_value(b, b->node->outputs[0]); }

static void add(rg_backward *b, rg_value *g) {
  for (int i = 0; i < b->node->input_count; i++) rg_back_give_broadcast(b, i, g);
}

static void sub(rg_backward *b, rg_value *g) {
  rg_back_give_broadcast(b, 0, g);
  if (rg_back_wants(b, 1)) rg_back_give_broadcast(b, 1, rg_back_op(b, "Neg", 1, g));
}

static void mul(rg_backward *b, rg_value *g) {
  for (int i = 0; i < 2; i++)
    if (rg_back_wants(b, i)) rg_back_give_broadcast(b, i, rg_back_mul(b, g, input(b, 1 - i)));
}

/* y = a / b: da = g / b, db = -da y */
static void divide(rg_backward *b, rg_value *g) {
  rg_value *quotient = rg_back_div(b, g, input(b, 1));
  rg_back_give_broadcast(b, 0, quotient);
  if (rg_back_wants(b, 1)) rg_back_give_broadcast(b, 1, rg_back_op(b, "Neg", 1, rg_back_mul(b, quotient, output(b))));
}

/* y = a^p: da = g p a^(p-1), dp = g y log a, which is 0 where a is. The exponent may be of another type. */
static void power(rg_backward *b, rg_value *g) {
  rg_value *a = input(b, 0), *p = input(b, 1);
  const rg_fact *exponent = rg_back_fact(b, rg_back_input(b, 1));
  if (exponent->type != b->type) {
    p = rg_back_op(b, "Cast", 1, p);
    rg_back_set_int(b, p, "to", b->type);
  }
  if (rg_back_wants(b, 0)) {
    rg_value *slope = rg_back_mul(b, p, rg_back_op(b, "Pow", 2, a, rg_back_shift(b, p, -1)));
    rg_back_give_broadcast(b, 0, rg_back_mul(b, g, slope));
  }
  if (rg_back_wants(b, 1)) {
    rg_value *zero = rg_back_scalar(b, 0), *slope = rg_back_mul(b, output(b), rg_back_op(b, "Log", 1, a));
    slope = rg_back_where(b, rg_back_op(b, "Equal", 2, a, zero), zero, slope);
    rg_back_give_broadcast(b, 1, rg_back_mul(b, g, slope));
  }
}

static bool supports_power(const rg_node *node, const rg_facts *facts, const bool *needed) {
  return facts->items[node->inputs[0]->id].type == facts->items[node->outputs[0]->id].type &&
         (!needed[node->inputs[1]->id] ||
          facts->items[node->inputs[1]->id].type == facts->items[node->outputs[0]->id].type);
}

/* Min and Max: all to the first input that is the result. */
static void extremum(rg_backward *b, rg_value *g) {
  rg_value *zero = rg_back_scalar(b, 0);
  int count = b->node->input_count;
  for (int i = 0; i < count; i++) {
    rg_value *is_it = rg_back_op(b, "Equal", 2, output(b), input(b, i));
    if (rg_back_wants(b, i)) rg_back_give_broadcast(b, i, rg_back_where(b, is_it, g, zero));
    if (i + 1 < count) g = rg_back_where(b, is_it, zero, g);
  }
}

static void mean(rg_backward *b, rg_value *g) { add(b, rg_back_scale(b, g, 1.0 / b->node->input_count)); }

static void where(rg_backward *b, rg_value *g) {
  rg_value *zero = rg_back_scalar(b, 0);
  if (rg_back_wants(b, 1)) rg_back_give_broadcast(b, 1, rg_back_where(b, input(b, 0), g, zero));
  if (rg_back_wants(b, 2)) rg_back_give_broadcast(b, 2, rg_back_where(b, input(b, 0), zero, g));
}

static void same(rg_backward *b, rg_value *g) { rg_back_give(b, 0, g); }

static void cast(rg_backward *b, rg_value *g) {
  const rg_fact *from = rg_back_fact(b, rg_back_input(b, 0));
  if (from->type != b->type) {
    g = rg_back_op(b, "Cast", 1, g);
    rg_back_set_int(b, g, "to", from->type);
  }
  rg_back_give(b, 0, g);
}

/* In inference. */
static bool supports_dropout(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rg_value *training = node->input_count > 2 ? node->inputs[2] : NULL;
  const rango_tensor *constant = training ? rg_value_constant(training) : NULL;
  return !training || (constant && rg_tensor_get_double(constant, 0) == 0);
}

/* ---- y = f(x): dx = g f'(x) ---- */

static void negate(rg_backward *b, rg_value *g) { rg_back_give(b, 0, rg_back_op(b, "Neg", 1, g)); }

static void absolute(rg_backward *b, rg_value *g) {
  rg_back_give(b, 0, rg_back_mul(b, g, rg_back_op(b, "Sign", 1, input(b, 0))));
}

static void reciprocal(rg_backward *b, rg_value *g) {
  rg_value *square = rg_back_mul(b, output(b), output(b));
  rg_back_give(b, 0, rg_back_op(b, "Neg", 1, rg_back_mul(b, g, square)));
}

static void square_root(rg_backward *b, rg_value *g) {
  rg_back_give(b, 0, rg_back_div(b, rg_back_scale(b, g, 0.5), output(b)));
}

static void exponential(rg_backward *b, rg_value *g) { rg_back_give(b, 0, rg_back_mul(b, g, output(b))); }
static void logarithm(rg_backward *b, rg_value *g) { rg_back_give(b, 0, rg_back_div(b, g, input(b, 0))); }

static void sine(rg_backward *b, rg_value *g) {
  rg_back_give(b, 0, rg_back_mul(b, g, rg_back_op(b, "Cos", 1, input(b, 0))));
}

static void cosine(rg_backward *b, rg_value *g) {
  rg_value *slope = rg_back_op(b, "Neg", 1, rg_back_op(b, "Sin", 1, input(b, 0)));
  rg_back_give(b, 0, rg_back_mul(b, g, slope));
}

/* 2 / sqrt(pi) exp(-x^2) */
static void error_function(rg_backward *b, rg_value *g) {
  rg_value *x = input(b, 0);
  rg_value *bell = rg_back_op(b, "Exp", 1, rg_back_op(b, "Neg", 1, rg_back_mul(b, x, x)));
  rg_back_give(b, 0, rg_back_mul(b, g, rg_back_scale(b, bell, M_2_SQRTPI)));
}

static const rg_adjoint_rule rules[] = {
    {"Add", add, NULL},
    {"Sum", add, NULL},
    {"Sub", sub, NULL},
    {"Mul", mul, NULL},
    {"Div", divide, NULL},
    {"Pow", power, supports_power},
    {"Min", extremum, NULL},
    {"Max", extremum, NULL},
    {"Mean", mean, NULL},
    {"Where", where, NULL},
    {"Identity", same, NULL},
    {"Dropout", same, supports_dropout},
    {"Cast", cast, NULL},
    {"CastLike", cast, NULL},
    {"Neg", negate, NULL},
    {"Abs", absolute, NULL},
    {"Reciprocal", reciprocal, NULL},
    {"Sqrt", square_root, NULL},
    {"Exp", exponential, NULL},
    {"Log", logarithm, NULL},
    {"Sin", sine, NULL},
    {"Cos", cosine, NULL},
    {"Erf", error_function, NULL},
    {"Floor", NULL, NULL},
    {"Ceil", NULL, NULL},
    {"Round", NULL, NULL},
    {"Sign", NULL, NULL},
};
RG_ADJOINT_EXPORT(arithmetic, rules);
