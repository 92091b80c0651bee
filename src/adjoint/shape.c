/* Adjoints of operators that move elements. */
#include "adjoint/backward.h"

/* Reshape, Flatten, Squeeze, Unsqueeze: the same elements in the input's shape. */
static void reshape(rg_backward *b, rg_value *g) {
  rg_back_give(b, 0, rg_back_reshape_like(b, g, rg_back_input(b, 0)));
}

static void transpose(rg_backward *b, rg_value *g) {
  int rank = rg_back_rank(b, 0);
  int64_t inverse[RANGO_MAX_RANK];
  size_t count;
  const int64_t *perm = rg_node_ints(b->node, "perm", &count);
  for (int i = 0; i < rank; i++) inverse[perm ? perm[i] : rank - 1 - i] = i;
  rg_back_give(b, 0, rg_back_transpose(b, g, inverse, rank));
}

static const rg_adjoint_rule rules[] = {
    {"Reshape", reshape, NULL},   {"Flatten", reshape, NULL},     {"Squeeze", reshape, NULL},
    {"Unsqueeze", reshape, NULL}, {"Transpose", transpose, NULL},
};
RG_ADJOINT_EXPORT(shape, rules);
