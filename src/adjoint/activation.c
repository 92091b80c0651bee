/* Adjoints of activations: dx = g f'(x), from y = f(x) where that serves, so that x need not be kept and what computes
 * x can still be one operation with f. */
#include <math.h>
#include <string.h>

#include "adjoint/backward.h"

static rg_value *input(rg_backward *b) { return rg_back_value(b, rg_back_input(b, 0)); }
static rg_value *output(rg_backward *b) { return rg_back_value(b, b->node->outputs[0]); }
static void give(rg_backward *b, rg_value *g, rg_value *slope) { rg_back_give(b, 0, rg_back_mul(b, g, slope)); }

/* 1 - x */
static rg_value *complement(rg_backward *b, rg_value *x) { return rg_back_sub(b, rg_back_scalar(b, 1), x); }

/* 1 where low < x < high. */
static rg_value *inside(rg_backward *b, rg_value *x, rg_value *low, rg_value *high) {
  rg_value *above = low ? rg_back_step(b, rg_back_sub(b, x, low)) : NULL;
  rg_value *below = high ? rg_back_step(b, rg_back_sub(b, high, x)) : NULL;
  return above && below ? rg_back_mul(b, above, below) : above ? above : below;
}

static void relu(rg_backward *b, rg_value *g) { give(b, g, rg_back_step(b, output(b))); }

/* 1 on the right of 0, `slope` on the left. */
static rg_value *two_slopes(rg_backward *b, rg_value *x, rg_value *slope) {
  rg_value *right = rg_back_step(b, x);
  return rg_back_add(b, right, rg_back_mul(b, slope, complement(b, right)));
}

static void leaky_relu(rg_backward *b, rg_value *g) {
  double alpha = (double)rg_node_float(b->node, "alpha", 0.01f);
  give(b, g, two_slopes(b, alpha >= 0 ? output(b) : input(b), rg_back_scalar(b, alpha)));
}

static void prelu(rg_backward *b, rg_value *g) {
  rg_value *x = input(b);
  if (rg_back_wants(b, 0)) give(b, g, two_slopes(b, x, rg_back_input(b, 1)));
  if (rg_back_wants(b, 1))
    rg_back_give_broadcast(b, 1, rg_back_mul(b, g, rg_back_op(b, "Min", 2, x, rg_back_scalar(b, 0))));
}

/* A bound of Clip: an input, or before opset 11 an attribute. NULL: open. */
static rg_value *bound(rg_backward *b, int index, const char *name) {
  if (b->node->version >= 11) return rg_back_input(b, index);
  return rg_node_attr(b->node, name) ? rg_back_scalar(b, (double)rg_node_float(b->node, name, 0)) : NULL;
}

static void clip(rg_backward *b, rg_value *g) {
  rg_value *slope = inside(b, output(b), bound(b, 1, "min"), bound(b, 2, "max"));
  rg_back_give(b, 0, slope ? rg_back_mul(b, g, slope) : g);
}

/* The bounds themselves have no adjoint. */
static bool supports_clip(const rg_node *node, const rg_facts *facts, const bool *needed) {
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i] && needed[node->inputs[i]->id]) return false;
  return true;
}

/* y (1 - y) */
static void sigmoid(rg_backward *b, rg_value *g) { give(b, g, rg_back_mul(b, output(b), complement(b, output(b)))); }

static void tangent(rg_backward *b, rg_value *g) { give(b, g, complement(b, rg_back_mul(b, output(b), output(b)))); }

static void softplus(rg_backward *b, rg_value *g) { give(b, g, rg_back_op(b, "Sigmoid", 1, input(b))); }

/* 1 / (1 + |x|)^2 */
static void softsign(rg_backward *b, rg_value *g) {
  rg_value *size = rg_back_shift(b, rg_back_op(b, "Abs", 1, input(b)), 1);
  rg_back_give(b, 0, rg_back_div(b, g, rg_back_mul(b, size, size)));
}

/* gain on the right; on the left y = gain alpha (e^(x/width) - 1), so that y' = (y + gain alpha) / width. */
static void exponential_left(rg_backward *b, rg_value *g, double gain, double alpha, double width) {
  rg_value *positive = rg_back_op(b, "Greater", 2, input(b), rg_back_scalar(b, 0));
  rg_value *left = rg_back_scale(b, rg_back_shift(b, output(b), gain * alpha), 1 / width);
  give(b, g, rg_back_where(b, positive, rg_back_scalar(b, gain), left));
}

static void elu(rg_backward *b, rg_value *g) {
  exponential_left(b, g, 1, (double)rg_node_float(b->node, "alpha", 1), 1);
}

static void selu(rg_backward *b, rg_value *g) {
  double alpha = (double)rg_node_float(b->node, "alpha", 1.67326319217681884765625f);
  exponential_left(b, g, (double)rg_node_float(b->node, "gamma", 1.05070102214813232421875f), alpha, 1);
}

static void celu(rg_backward *b, rg_value *g) {
  double alpha = (double)rg_node_float(b->node, "alpha", 1);
  exponential_left(b, g, 1, alpha, alpha);
}

static void thresholded_relu(rg_backward *b, rg_value *g) {
  give(b, g, rg_back_step(b, rg_back_shift(b, input(b), -(double)rg_node_float(b->node, "alpha", 1))));
}

/* y = clip(alpha x + beta, 0, 1) */
static void hard_sigmoid(rg_backward *b, rg_value *g) {
  rg_value *slope = inside(b, output(b), rg_back_scalar(b, 0), rg_back_scalar(b, 1));
  give(b, g, rg_back_scale(b, slope, (double)rg_node_float(b->node, "alpha", 0.2f)));
}

/* y = x h, h = clip(x / 6 + 1/2, 0, 1): h + x / 6 where 0 < h < 1 */
static void hard_swish(rg_backward *b, rg_value *g) {
  rg_value *gate = rg_back_op(b, "HardSigmoid", 1, input(b));
  rg_back_set_float(b, gate, "alpha", 1.0 / 6);
  rg_back_set_float(b, gate, "beta", 0.5);
  rg_value *moving = inside(b, gate, rg_back_scalar(b, 0), rg_back_scalar(b, 1));
  give(b, g, rg_back_add(b, gate, rg_back_mul(b, rg_back_scale(b, input(b), 1.0 / 6), moving)));
}

/* y = x s, s = sigmoid(alpha x): s + alpha y (1 - s) */
static void swish(rg_backward *b, rg_value *g) {
  double alpha = (double)rg_node_float(b->node, "alpha", 1);
  rg_value *gate = rg_back_op(b, "Sigmoid", 1, rg_back_scale(b, input(b), alpha));
  rg_value *rest = rg_back_mul(b, rg_back_scale(b, output(b), alpha), complement(b, gate));
  give(b, g, rg_back_add(b, gate, rest));
}

/* y = x t, t = tanh(softplus(x)): t + x sigmoid(x) (1 - t^2) */
static void mish(rg_backward *b, rg_value *g) {
  rg_value *x = input(b), *t = rg_back_op(b, "Tanh", 1, rg_back_op(b, "Softplus", 1, x));
  rg_value *rest = rg_back_mul(b, rg_back_op(b, "Sigmoid", 1, x), complement(b, rg_back_mul(b, t, t)));
  give(b, g, rg_back_add(b, t, rg_back_mul(b, x, rest)));
}

/* y = x (1 + erf(x / sqrt 2)) / 2: the normal distribution's function, and x times its density */
static void gelu_exact(rg_backward *b, rg_value *g) {
  rg_value *x = input(b), *z = rg_back_scale(b, x, M_SQRT1_2);
  rg_value *share = rg_back_scale(b, rg_back_shift(b, rg_back_op(b, "Erf", 1, z), 1), 0.5);
  rg_value *bell = rg_back_op(b, "Exp", 1, rg_back_op(b, "Neg", 1, rg_back_mul(b, z, z)));
  rg_value *density = rg_back_scale(b, bell, M_SQRT1_2 * M_2_SQRTPI / 2);
  give(b, g, rg_back_add(b, share, rg_back_mul(b, x, density)));
}

/* y = x (1 + t) / 2, t = tanh(c (x + d x^3)): (1 + t) / 2 + x (1 - t^2) c (1 + 3 d x^2) / 2 */
static void gelu_tanh(rg_backward *b, rg_value *g) {
  const double c = M_SQRT1_2 * M_2_SQRTPI, d = 0.044715;
  rg_value *x = input(b), *square = rg_back_mul(b, x, x);
  rg_value *inner = rg_back_mul(b, rg_back_scale(b, x, c), rg_back_shift(b, rg_back_scale(b, square, d), 1));
  rg_value *t = rg_back_op(b, "Tanh", 1, inner);
  rg_value *slope = rg_back_scale(b, rg_back_shift(b, rg_back_scale(b, square, 3 * d), 1), c / 2);
  rg_value *rest = rg_back_mul(b, rg_back_mul(b, x, slope), complement(b, rg_back_mul(b, t, t)));
  give(b, g, rg_back_add(b, rg_back_scale(b, rg_back_shift(b, t, 1), 0.5), rest));
}

static void gelu(rg_backward *b, rg_value *g) {
  if (strcmp(rg_node_string(b->node, "approximate", "none"), "tanh") == 0)
    gelu_tanh(b, g);
  else
    gelu_exact(b, g);
}

static const rg_adjoint_rule rules[] = {
    {"Relu", relu, NULL},
    {"LeakyRelu", leaky_relu, NULL},
    {"PRelu", prelu, NULL},
    {"ThresholdedRelu", thresholded_relu, NULL},
    {"Clip", clip, supports_clip},
    {"Sigmoid", sigmoid, NULL},
    {"Tanh", tangent, NULL},
    {"Softplus", softplus, NULL},
    {"Softsign", softsign, NULL},
    {"Elu", elu, NULL},
    {"Selu", selu, NULL},
    {"Celu", celu, NULL},
    {"HardSigmoid", hard_sigmoid, NULL},
    {"HardSwish", hard_swish, NULL},
    {"Swish", swish, NULL},
    {"Mish", mish, NULL},
    {"Gelu", gelu, NULL},
};
RG_ADJOINT_EXPORT(activation, rules);
