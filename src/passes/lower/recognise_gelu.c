/*
 * Activations that exporters spell out: GELU (with erf, or the tanh form), SiLU, hard swish. Each is
 *
 *     y = a x + b x f(u(x))      f one of Erf, Tanh, Sigmoid, HardSigmoid, Clip, and u a polynomial in x
 *
 * in some order of products and sums. The subgraph is multiplied out into coefficients of x^i f^j and compared.
 */
#include <math.h>

#include "passes/lower/lower.h"

#define POWERS     4 /* x^0 … x^3 */
#define DEPTH      8 /* nodes between y and x */
#define CANDIDATES 8 /* values tried as x */

/* Σ c[i][j] x^i f^j */
typedef struct form {
  double c[POWERS][2];
} form;

typedef struct pattern {
  const char *op;     /* of f */
  double alpha, beta; /* what f's activation must carry */
  double u[POWERS];   /* its input, as a polynomial in x */
  double a, b;
  rg_activation_kind kind;
} pattern;

#define SQRT_HALF 0.70710678118654752
#define SQRT_2_PI 0.79788456080286536 /* sqrt(2 / pi) */

static const pattern patterns[] = {
    {"Erf", 0, 0, {0, SQRT_HALF}, 0.5, 0.5, RG_ACT_GELU},
    {"Tanh", 0, 0, {0, SQRT_2_PI, 0, 0.044715 * SQRT_2_PI}, 0.5, 0.5, RG_ACT_GELU_TANH},
    {"Sigmoid", 0, 0, {0, 1}, 0, 1, RG_ACT_SILU},
    {"HardSigmoid", 1.0 / 6, 0.5, {0, 1}, 0, 1, RG_ACT_HARD_SWISH},
    {"Clip", 0, 6, {3, 1}, 0, 1.0 / 6, RG_ACT_HARD_SWISH},
};

static bool multiply(const form *a, const form *b, form *out) {
  *out = (form){0};
  for (int i = 0; i < POWERS; i++)
    for (int j = 0; j < 2; j++)
      for (int k = 0; k < POWERS; k++)
        for (int l = 0; l < 2; l++) {
          double product = a->c[i][j] * b->c[k][l];
          if (product == 0) continue;
          if (i + k >= POWERS || j + l > 1) return false;
          out->c[i + k][j + l] += product;
        }
  return true;
}

static bool is_number(const form *a) {
  for (int i = 0; i < POWERS; i++)
    if (a->c[i][1] != 0 || (i > 0 && a->c[i][0] != 0)) return false;
  return true;
}

static bool power(const form *base, const form *exponent, form *out) {
  int n = (int)exponent->c[0][0];
  if (!is_number(exponent) || n != exponent->c[0][0] || n < 1 || n >= POWERS) return false;
  *out = *base;
  for (int i = 1; i < n; i++) {
    form step;
    if (!multiply(out, base, &step)) return false;
    *out = step;
  }
  return true;
}

static bool combine(const rg_node *node, const form *a, const form *b, form *out) {
  if (rg_node_is(node, "Mul")) return multiply(a, b, out);
  if (rg_node_is(node, "Pow")) return power(a, b, out);
  if (rg_node_is(node, "Div")) {
    if (!is_number(b) || b->c[0][0] == 0) return false;
    form inverse = {.c = {{1 / b->c[0][0]}}};
    return multiply(a, &inverse, out);
  }
  double sign = rg_node_is(node, "Add") ? 1 : rg_node_is(node, "Sub") ? -1 : 0;
  for (int i = 0; i < POWERS; i++)
    for (int j = 0; j < 2; j++) out->c[i][j] = a->c[i][j] + sign * b->c[i][j];
  return sign != 0;
}

/* `value` multiplied out in x and f (which may be NULL). */
static bool expand(const rg_value *value, const rg_value *x, const rg_value *f, int depth, form *out) {
  *out = (form){0};
  if (!value || depth > DEPTH) return false;
  if (value == x || value == f) {
    out->c[value == x][value == f] = 1;
    return true;
  }
  if (rg_value_scalar(value, &out->c[0][0])) return true;
  const rg_node *node = value->producer;
  form a, b;
  return node && node->input_count == 2 && expand(node->inputs[0], x, f, depth + 1, &a) &&
         expand(node->inputs[1], x, f, depth + 1, &b) && combine(node, &a, &b, out);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-5 * fmax(fabs(b), 1e-2); }

static bool is_polynomial(const form *u, const double *wanted) {
  for (int i = 0; i < POWERS; i++)
    if (!near(u->c[i][0], wanted[i]) || u->c[i][1] != 0) return false;
  return true;
}

static bool is_target(const form *y, const pattern *p) {
  for (int i = 0; i < POWERS; i++)
    if (!near(y->c[i][0], i == 1 ? p->a : 0) || !near(y->c[i][1], i == 1 ? p->b : 0)) return false;
  return true;
}

static bool is_function(const rg_node *node, const pattern *p) {
  if (!rg_node_is(node, p->op)) return false;
  if (p->kind != RG_ACT_HARD_SWISH) return true;
  rg_activation activation;
  return rg_activation_of(node, &activation) && near(activation.alpha, p->alpha) && near(activation.beta, p->beta);
}

/* Values that u may be made of: u itself, and what is below it. */
static int candidates_for_x(rg_value *u, rg_value **list, int count, int depth) {
  if (!u || count >= CANDIDATES || depth > DEPTH || rg_value_constant(u)) return count;
  for (int i = 0; i < count; i++)
    if (list[i] == u) return count;
  list[count++] = u;
  if (!u->producer || u->producer->input_count != 2) return count;
  for (int i = 0; i < 2; i++) count = candidates_for_x(u->producer->inputs[i], list, count, depth + 1);
  return count;
}

/* Follows f through sums and products to the node whose output is the whole pattern. */
static rg_node *find_end(rg_value *f, const rg_value *x, const pattern *p) {
  rg_value *at = f;
  for (int i = 0; i < DEPTH; i++) {
    rg_node *user = rg_lower_only_user(at);
    form y;
    if (!user || user->input_count != 2 || user->output_count != 1) return NULL;
    at = user->outputs[0];
    if (expand(at, x, f, 0, &y) && is_target(&y, p)) return user;
  }
  return NULL;
}

static rango_status rewrite(rg_node *end, rg_value *x, rg_activation_kind kind) {
  RG_TRY(rg_lower_become(end, "Activation", RG_PRIVATE_DOMAIN, 1));
  RG_TRY(rg_node_set_input(end, 0, x));
  RG_TRY(rg_node_set_input_count(end, 1));
  return rg_activation_write(end, (rg_activation){.kind = kind});
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    const pattern *p = &patterns[i];
    if (!is_function(node, p) || !rg_lower_is_float32(facts, node->inputs[0])) continue;
    rg_value *list[CANDIDATES];
    int count = candidates_for_x(node->inputs[0], list, 0, 0);
    for (int c = 0; c < count; c++) {
      form u;
      if (!expand(node->inputs[0], list[c], NULL, 0, &u) || !is_polynomial(&u, p->u)) continue;
      rg_node *end = find_end(node->outputs[0], list[c], p);
      if (!end) continue;
      ++*changes;
      return rewrite(end, list[c], p->kind);
    }
  }
  return RANGO_OK;
}

rango_status rg_pass_recognise_gelu(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
