/* Functions of one element: which nodes are one, and what fused operators carry of them. */
#include "ops/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {
    [RG_ACT_NONE] = "None",
    [RG_ACT_RELU] = "Relu",
    [RG_ACT_CLIP] = "Clip",
    [RG_ACT_LEAKY_RELU] = "LeakyRelu",
    [RG_ACT_SIGMOID] = "Sigmoid",
    [RG_ACT_TANH] = "Tanh",
    [RG_ACT_GELU] = "Gelu",
    [RG_ACT_GELU_TANH] = "GeluTanh",
    [RG_ACT_HARD_SIGMOID] = "HardSigmoid",
    [RG_ACT_HARD_SWISH] = "HardSwish",
    [RG_ACT_SILU] = "Silu",
    [RG_ACT_ELU] = "Elu",
    [RG_ACT_ERF] = "Erf",
    [RG_ACT_EXP] = "Exp",
    [RG_ACT_LOG] = "Log",
    [RG_ACT_SQRT] = "Sqrt",
    [RG_ACT_RECIPROCAL] = "Reciprocal",
    [RG_ACT_SQUARE] = "Square",
    [RG_ACT_ABS] = "Abs",
    [RG_ACT_NEG] = "Neg",
    [RG_ACT_FLOOR] = "Floor",
    [RG_ACT_CEIL] = "Ceil",
    [RG_ACT_ROUND] = "Round",
};

const char *rg_activation_name(rg_activation_kind kind) { return names[kind]; }

rg_activation rg_activation_read(const rg_node *node) {
  const char *name = rg_node_string(node, "activation", names[RG_ACT_NONE]);
  rg_activation activation = {RG_ACT_NONE, rg_node_float(node, "activation_alpha", 0),
                              rg_node_float(node, "activation_beta", 0)};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) activation.kind = (rg_activation_kind)i;
  return activation;
}

rango_status rg_activation_write(rg_node *node, rg_activation activation) {
  RG_TRY(rg_node_set_string(node, "activation", names[activation.kind]));
  RG_TRY(rg_node_set_float(node, "activation_alpha", activation.alpha));
  return rg_node_set_float(node, "activation_beta", activation.beta);
}

/* NaN goes through the comparisons as NaN. */
static float clip(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

float rg_activation_apply(rg_activation activation, float x) {
  switch (activation.kind) {
  case RG_ACT_NONE:
    return x;
  case RG_ACT_RELU:
    return x < 0 ? 0 : x;
  case RG_ACT_CLIP:
    return clip(x, activation.alpha, activation.beta);
  case RG_ACT_LEAKY_RELU:
    return x < 0 ? activation.alpha * x : x;
  case RG_ACT_SIGMOID:
    return 1 / (1 + expf(-x));
  case RG_ACT_TANH:
    return tanhf(x);
  case RG_ACT_GELU:
    return 0.5f * x * (1 + erff(x * 0.70710678118654752f));
  case RG_ACT_GELU_TANH:
    return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  case RG_ACT_HARD_SIGMOID:
    return clip(activation.alpha * x + activation.beta, 0, 1);
  case RG_ACT_HARD_SWISH:
    return x * clip(x / 6 + 0.5f, 0, 1);
  case RG_ACT_SILU:
    return x / (1 + expf(-x));
  case RG_ACT_ELU:
    return x < 0 ? activation.alpha * expm1f(x) : x;
  case RG_ACT_ERF:
    return erff(x);
  case RG_ACT_EXP:
    return expf(x);
  case RG_ACT_LOG:
    return logf(x);
  case RG_ACT_SQRT:
    return sqrtf(x);
  case RG_ACT_RECIPROCAL:
    return 1 / x;
  case RG_ACT_SQUARE:
    return x * x;
  case RG_ACT_ABS:
    return fabsf(x);
  case RG_ACT_NEG:
    return -x;
  case RG_ACT_FLOOR:
    return floorf(x);
  case RG_ACT_CEIL:
    return ceilf(x);
  case RG_ACT_ROUND:
    return rintf(x);
  case RG_ACT_COUNT:
    break;
  }
  return x;
}

/* ---- from a node ---- */

bool rg_value_scalar(const rg_value *value, double *out) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  int64_t count;
  if (!tensor || !rg_type_is_float(tensor->type) || rg_shape_count(&tensor->shape, &count) != RANGO_OK || count != 1)
    return false;
  *out = rg_tensor_get_double(tensor, 0);
  return true;
}

/* A bound of Clip: an input since opset 11, an attribute before. False when it isn't constant. */
static bool clip_bound(const rg_node *node, int input, const char *attribute, float *bound) {
  double number;
  if (node->version < 11) {
    *bound = rg_node_float(node, attribute, *bound);
    return true;
  }
  if (input >= node->input_count || !node->inputs[input]) return true;
  if (!rg_value_scalar(node->inputs[input], &number)) return false;
  *bound = (float)number;
  return true;
}

static bool clip_of(const rg_node *node, rg_activation *out) {
  const float most = node->version < 11 ? FLT_MAX : INFINITY;
  *out = (rg_activation){RG_ACT_CLIP, -most, most};
  return clip_bound(node, 1, "min", &out->alpha) && clip_bound(node, 2, "max", &out->beta) && out->alpha <= out->beta;
}

/* The sign of a zero or infinity can differ from pow's for x^0.5 alone, of -0 and -infinity. An exponent of many axes
 * would give its own to the result. */
static bool power_of(const rg_node *node, rg_activation *out) {
  double exponent;
  if (!rg_value_scalar(node->inputs[1], &exponent) || rg_value_constant(node->inputs[1])->shape.rank > 1) return false;
  *out = (rg_activation){.kind = exponent == 2     ? RG_ACT_SQUARE
                                 : exponent == 0.5 ? RG_ACT_SQRT
                                 : exponent == -1  ? RG_ACT_RECIPROCAL
                                                   : RG_ACT_NONE};
  return out->kind != RG_ACT_NONE || exponent == 1;
}

bool rg_activation_of(const rg_node *node, rg_activation *out) {
  static const struct {
    const char *op;
    rg_activation_kind kind;
    float alpha, beta; /* of the attributes where they aren't given */
  } plain[] = {
      {"Relu", RG_ACT_RELU, 0, 0},
      {"LeakyRelu", RG_ACT_LEAKY_RELU, 0.01f, 0},
      {"Sigmoid", RG_ACT_SIGMOID, 0, 0},
      {"Tanh", RG_ACT_TANH, 0, 0},
      {"HardSigmoid", RG_ACT_HARD_SIGMOID, 0.2f, 0.5f},
      {"HardSwish", RG_ACT_HARD_SWISH, 0, 0},
      {"Elu", RG_ACT_ELU, 1, 0},
      {"Erf", RG_ACT_ERF, 0, 0},
      {"Exp", RG_ACT_EXP, 0, 0},
      {"Log", RG_ACT_LOG, 0, 0},
      {"Sqrt", RG_ACT_SQRT, 0, 0},
      {"Reciprocal", RG_ACT_RECIPROCAL, 0, 0},
      {"Abs", RG_ACT_ABS, 0, 0},
      {"Neg", RG_ACT_NEG, 0, 0},
      {"Floor", RG_ACT_FLOOR, 0, 0},
      {"Ceil", RG_ACT_CEIL, 0, 0},
      {"Round", RG_ACT_ROUND, 0, 0},
  };
  if (strcmp(node->op, "Activation") == 0 && strcmp(node->domain, RG_PRIVATE_DOMAIN) == 0) {
    *out = rg_activation_read(node);
    return true;
  }
  if (*node->domain) return false;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (strcmp(node->op, plain[i].op) == 0) {
      *out = (rg_activation){plain[i].kind, rg_node_float(node, "alpha", plain[i].alpha),
                             rg_node_float(node, "beta", plain[i].beta)};
      return true;
    }
  if (rg_node_is(node, "Clip")) return clip_of(node, out);
  if (rg_node_is(node, "Pow")) return power_of(node, out);
  if (rg_node_is(node, "Gelu")) {
    const bool by_tanh = strcmp(rg_node_string(node, "approximate", "none"), "tanh") == 0;
    *out = (rg_activation){.kind = by_tanh ? RG_ACT_GELU_TANH : RG_ACT_GELU};
    return true;
  }
  *out = (rg_activation){.kind = RG_ACT_SILU};
  return rg_node_is(node, "Swish") && rg_node_float(node, "alpha", 1) == 1;
}
