/* Adjoints of matrix products. */
#include <string.h>

#include "adjoint/backward.h"

static rg_value *product(rg_backward *b, rg_value *x, rg_value *y, bool trans_x, bool trans_y, double alpha) {
  rg_value *out = rg_back_op(b, "Gemm", 2, x, y);
  if (trans_x) rg_back_set_int(b, out, "transA", 1);
  if (trans_y) rg_back_set_int(b, out, "transB", 1);
  if (alpha != 1) rg_back_set_float(b, out, "alpha", alpha);
  return out;
}

/* Y = alpha A' B' + beta C, where A' is A or its transpose:  dA' = alpha g B'^T,  dB' = alpha A'^T g,  dC = beta g */
static void gemm(rg_backward *b, rg_value *g) {
  rg_value *x = rg_back_input(b, 0), *w = rg_back_input(b, 1);
  bool ta = rg_node_int(b->node, "transA", 0) != 0, tb = rg_node_int(b->node, "transB", 0) != 0;
  double alpha = (double)rg_node_float(b->node, "alpha", 1), beta = (double)rg_node_float(b->node, "beta", 1);
  if (rg_back_wants(b, 0))
    rg_back_give(b, 0, ta ? product(b, w, g, tb, true, alpha) : product(b, g, w, false, !tb, alpha));
  if (rg_back_wants(b, 1))
    rg_back_give(b, 1, tb ? product(b, g, x, true, ta, alpha) : product(b, x, g, !ta, false, alpha));
  if (rg_back_wants(b, 2)) rg_back_give_broadcast(b, 2, rg_back_scale(b, g, beta));
}

/* ---- MatMul: stacks of matrices, broadcast; a vector is a row on the left and a column on the right ---- */

static bool is_vector(const rg_backward *b, int index) { return rg_back_rank(b, index) == 1; }

/* The axis that makes a vector operand a matrix; every other value has it already. */
static int64_t axis_of(int index) { return index == 0 ? -2 : -1; }

static rg_value *matrices(rg_backward *b, int index) {
  int64_t axis = axis_of(index);
  rg_value *value = rg_back_input(b, index);
  return is_vector(b, index) ? rg_back_squeeze(b, "Unsqueeze", value, &axis, 1) : value;
}

static rg_value *gradient_matrices(rg_backward *b, rg_value *g) {
  int64_t axes[2];
  int count = 0;
  for (int i = 0; i < 2; i++)
    if (is_vector(b, i)) axes[count++] = axis_of(i);
  return rg_back_squeeze(b, "Unsqueeze", g, axes, count);
}

/* Gives an operand its share, a matrix for each of the output's. */
static void give_matrices(rg_backward *b, int index, rg_value *share) {
  const rg_fact *out = rg_back_fact(b, b->node->outputs[0]), *own = rg_back_fact(b, rg_back_input(b, index));
  int stack = out->rank - !is_vector(b, 0) - !is_vector(b, 1), own_rank = own->rank == 1 ? 1 : 2;
  int64_t dims[RANGO_MAX_RANK + 2], axis = axis_of(index);
  for (int i = 0; i < stack; i++) dims[i] = out->dims[i];
  for (int i = 0; i < own_rank; i++) dims[stack + i] = own->dims[own->rank - own_rank + i];
  if (own_rank == 1) share = rg_back_squeeze(b, "Squeeze", share, &axis, 1);
  rg_back_give_from(b, index, share, dims, stack + own_rank);
}

/* One matrix on the right of many rows, whatever their axes: one product gives its gradient. */
static bool is_dense(const rg_backward *b) {
  const rg_fact *x = rg_back_fact(b, rg_back_input(b, 0)), *w = rg_back_fact(b, rg_back_input(b, 1));
  return x->rank > 2 && w->rank == 2 && rg_size_is_known(w->dims[0]) && rg_size_is_known(w->dims[1]);
}

/* Y = A B:  dA = g B^T,  dB = A^T g */
static void matmul(rg_backward *b, rg_value *g) {
  int x_rank = rg_back_rank(b, 0), w_rank = rg_back_rank(b, 1);
  rg_value *matrix = gradient_matrices(b, g);
  if (rg_back_wants(b, 0)) {
    rg_value *turned = rg_back_turned(b, matrices(b, 1), w_rank < 2 ? 2 : w_rank);
    give_matrices(b, 0, rg_back_op(b, "MatMul", 2, matrix, turned));
  }
  if (!rg_back_wants(b, 1)) return;
  if (is_dense(b)) {
    const int64_t *dims = rg_back_fact(b, rg_back_input(b, 1))->dims;
    rg_value *rows = rg_back_reshape(b, rg_back_input(b, 0), (const int64_t[]){-1, dims[0]}, 2);
    rg_value *gradients = rg_back_reshape(b, g, (const int64_t[]){-1, dims[1]}, 2);
    rg_back_give(b, 1, product(b, rows, gradients, true, false, 1));
  } else {
    rg_value *turned = rg_back_turned(b, matrices(b, 0), x_rank < 2 ? 2 : x_rank);
    give_matrices(b, 1, rg_back_op(b, "MatMul", 2, turned, matrix));
  }
}

/* ---- Einsum ---- */

#define LABELS_MAX   (RANGO_MAX_RANK + 1) /* of an operand, with its end */
#define OPERANDS_MAX 4

typedef struct einsum {
  char in[OPERANDS_MAX][LABELS_MAX], out[LABELS_MAX];
  int count;
} einsum;

/* Appends a label; false for one that is there already. */
static bool add_label(char *labels, char label) {
  size_t length = strlen(labels);
  if (strchr(labels, label) || length + 1 >= LABELS_MAX) return false;
  labels[length] = label;
  labels[length + 1] = 0;
  return true;
}

/* "ij,jk->ik" with the output written out; no ellipsis, no diagonals. */
static bool read_einsum(const rg_node *node, einsum *e) {
  const char *text = rg_node_string(node, "equation", "");
  *e = (einsum){.count = 1};
  for (; *text && *text != '-'; text++) {
    if (*text == ',' && e->count++ == OPERANDS_MAX) return false;
    bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
    if (*text == ',' || *text == ' ') continue;
    if (!letter || !add_label(e->in[e->count - 1], *text)) return false;
  }
  if (strncmp(text, "->", 2) != 0 || e->count != node->input_count) return false;
  for (text += 2; *text; text++)
    if (*text != ' ' && !add_label(e->out, *text)) return false;
  return true;
}

/* The output and the other operands, summed over all that this operand hasn't. */
static void einsum_adjoint(rg_backward *b, rg_value *g) {
  einsum e;
  (void)read_einsum(b->node, &e);
  for (int i = 0; i < e.count; i++) {
    char equation[(OPERANDS_MAX + 1) * (LABELS_MAX + 1) + 2];
    rg_value *operands[OPERANDS_MAX] = {g};
    int count = 1;
    if (!rg_back_wants(b, i)) continue;
    strcpy(equation, e.out);
    for (int k = 0; k < e.count; k++) {
      if (k == i) continue;
      operands[count++] = rg_back_input(b, k);
      strcat(strcat(equation, ","), e.in[k]);
    }
    strcat(strcat(equation, "->"), e.in[i]);
    rg_value *share = rg_back_op(b, "Einsum", count, operands[0], operands[1], operands[2], operands[3]);
    rg_back_set_string(b, share, "equation", equation);
    rg_back_give(b, i, share);
  }
}

/* Every label of an operand must be somewhere else, too, and stand for one size everywhere (no broadcasting). */
static bool supports_einsum(const rg_node *node, const rg_facts *facts, const bool *needed) {
  einsum e;
  int64_t sizes[128] = {0};
  if (!read_einsum(node, &e)) return false;
  for (int i = 0; i < e.count; i++) {
    const rg_fact *fact = &facts->items[node->inputs[i]->id];
    if (fact->rank != (int)strlen(e.in[i])) return false;
    for (int k = 0; k < fact->rank; k++) {
      int64_t *size = &sizes[(int)e.in[i][k]];
      bool elsewhere = strchr(e.out, e.in[i][k]) != NULL;
      for (int j = 0; j < e.count; j++) elsewhere |= j != i && strchr(e.in[j], e.in[i][k]);
      if (!elsewhere || (*size && *size != fact->dims[k])) return false;
      *size = fact->dims[k];
    }
  }
  return true;
}

static const rg_adjoint_rule rules[] = {
    {"Gemm", gemm, NULL},
    {"MatMul", matmul, NULL},
    {"Einsum", einsum_adjoint, supports_einsum},
};
RG_ADJOINT_EXPORT(matmul, rules);
