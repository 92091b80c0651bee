/* The activations that fused operators carry. */
#include "ops/support.h"

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
  }
  return x;
}
