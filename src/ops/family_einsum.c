/* Einsum: any number of operands, repeated labels (diagonals), ellipses. Sums are taken in double. */
#include "ops/compute.h"

#include <string.h>

#define MAX_OPERANDS 16
#define LETTERS      52                         /* A-Z, then a-z, as they sort */
#define LABELS       (LETTERS + RANGO_MAX_RANK) /* the ellipsis's axes come last, aligned at the right */

typedef struct einsum {
  int operand_count;
  int label[MAX_OPERANDS][RANGO_MAX_RANK]; /* of every axis */
  int rank[MAX_OPERANDS];
  int64_t size[LABELS];
  int uses[LABELS];
  int out_label[LABELS], out_rank;
  int sum_label[LABELS], sum_rank;
} einsum;

static int letter_label(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : -1;
}

/* Sizes of one label met twice: equal, or one of them 1. Symbols give way to numbers. */
static bool merge_size(einsum *e, int label, int64_t size) {
  int64_t *known = &e->size[label];
  if (e->uses[label]++ == 0) {
    *known = size;
    return true;
  }
  return rg_broadcast_size(*known, size, known);
}

/* One term of the left side: labels of operand `index`. Returns the end of the term, or NULL. */
static const char *parse_operand(einsum *e, const char *text, int index, int rank, const int64_t *dims) {
  int count = 0, before_ellipsis = -1;
  int letters[RANGO_MAX_RANK];
  for (; *text && *text != ',' && *text != '-'; text++) {
    if (*text == ' ') continue;
    if (strncmp(text, "...", 3) == 0 && before_ellipsis < 0) {
      before_ellipsis = count;
      text += 2;
    } else if (letter_label(*text) >= 0 && count < RANGO_MAX_RANK) {
      letters[count++] = letter_label(*text);
    } else {
      return NULL;
    }
  }
  int hidden = rank - count; /* axes that the ellipsis stands for */
  if (hidden < 0 || (hidden > 0 && before_ellipsis < 0)) return NULL;
  for (int axis = 0, letter = 0; axis < rank; axis++) {
    bool is_hidden = before_ellipsis >= 0 && axis >= before_ellipsis && axis < before_ellipsis + hidden;
    int label = is_hidden ? LABELS - hidden + (axis - before_ellipsis) : letters[letter++];
    e->label[index][axis] = label;
    if (!merge_size(e, label, dims[axis])) return NULL;
  }
  e->rank[index] = rank;
  return text;
}

/* The right side, or without one: the ellipsis, then letters that occur once, sorted. */
static bool parse_output(einsum *e, const char *text) {
  bool taken[LABELS] = {false};
  e->out_rank = e->sum_rank = 0;
  if (!text) {
    for (int i = LETTERS; i < LABELS; i++)
      if (e->uses[i] > 0) e->out_label[e->out_rank++] = i;
    for (int i = 0; i < LETTERS; i++)
      if (e->uses[i] == 1) e->out_label[e->out_rank++] = i;
  }
  for (; text && *text; text++) {
    int label = letter_label(*text);
    if (*text == ' ') continue;
    if (strncmp(text, "...", 3) == 0) {
      for (int i = LETTERS; i < LABELS; i++) {
        if (e->uses[i] == 0) continue;
        if (taken[i]) return false;
        taken[i] = true;
        e->out_label[e->out_rank++] = i;
      }
      text += 2;
    } else if (label >= 0 && e->uses[label] > 0 && !taken[label]) {
      taken[label] = true;
      e->out_label[e->out_rank++] = label;
    } else {
      return false;
    }
  }
  for (int i = 0; i < e->out_rank; i++) taken[e->out_label[i]] = true;
  for (int i = 0; i < LABELS; i++)
    if (e->uses[i] > 0 && !taken[i]) e->sum_label[e->sum_rank++] = i;
  return e->out_rank <= RANGO_MAX_RANK;
}

/* What is wrong, or NULL. */
static const char *parse(einsum *e, const char *equation, int count, const int *ranks, const int64_t *const *dims) {
  memset(e, 0, sizeof *e);
  const char *text = equation;
  for (int i = 0; i < count; i++) {
    text = parse_operand(e, text, i, ranks[i], dims[i]);
    if (!text) return "the equation doesn't fit the inputs";
    if (i + 1 < count && *text++ != ',') return "the equation has too few terms";
  }
  e->operand_count = count;
  if (*text && strncmp(text, "->", 2) != 0) return "the equation has too many terms";
  return parse_output(e, *text ? text + 2 : NULL) ? NULL : "the equation's right side is wrong";
}

static rango_status check_einsum(const rg_node *node) {
  const char *equation = rg_node_string(node, "equation", NULL);
  if (!equation) return rg_fail(RANGO_ERROR_FORMAT, "%s: attribute equation is missing", rg_node_text(node));
  if (node->input_count > MAX_OPERANDS)
    return rg_fail(RANGO_ERROR_LIMIT, "%s: more than %d inputs", rg_node_text(node), MAX_OPERANDS);
  return RANGO_OK;
}

static rango_status infer_einsum(rg_infer *infer) {
  einsum e;
  int ranks[MAX_OPERANDS];
  const int64_t *dims[MAX_OPERANDS];
  for (int i = 0; i < infer->input_count; i++) {
    if (!infer->inputs[i] || infer->inputs[i]->rank < 0) {
      rg_fact_set(infer->outputs[0], infer->inputs[0] ? infer->inputs[0]->type : RANGO_UNDEFINED, -1, NULL);
      return RANGO_OK;
    }
    ranks[i] = infer->inputs[i]->rank;
    dims[i] = infer->inputs[i]->dims;
  }
  const char *error = parse(&e, rg_node_string(infer->node, "equation", ""), infer->input_count, ranks, dims);
  if (error) return rg_infer_fail(infer, "%s", error);
  int64_t out[RANGO_MAX_RANK];
  for (int i = 0; i < e.out_rank; i++) out[i] = e.size[e.out_label[i]];
  rg_fact_set(infer->outputs[0], infer->inputs[0]->type, e.out_rank, out);
  return RANGO_OK;
}

static int64_t macs_einsum(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  einsum e;
  int ranks[MAX_OPERANDS];
  const int64_t *dims[MAX_OPERANDS];
  int64_t macs = node->input_count - 1;
  for (int i = 0; i < node->input_count; i++) {
    if (!inputs[i] || inputs[i]->rank < 0) return -1;
    ranks[i] = inputs[i]->rank;
    dims[i] = inputs[i]->dims;
  }
  if (parse(&e, rg_node_string(node, "equation", ""), node->input_count, ranks, dims)) return -1;
  for (int i = 0; i < LABELS; i++)
    if (e.uses[i] > 0 && (!rg_size_is_known(e.size[i]) || !rg_mul_i64(macs, e.size[i], &macs))) return -1;
  return macs;
}

/* Steps through an index over labels; each operand's offset follows. */
typedef struct odometer {
  const einsum *e;
  const int *labels;
  int count;
  int64_t at[LABELS];
  const int64_t (*strides)[LABELS]; /* [operand][label] */
} odometer;

/* The next position; false after the last, when all is back at the start. */
static bool advance(odometer *o, int64_t *offsets) {
  for (int i = o->count - 1; i >= 0; i--) {
    int label = o->labels[i];
    int64_t size = o->e->size[label];
    bool carry = ++o->at[i] == size;
    for (int k = 0; k < o->e->operand_count; k++) offsets[k] += o->strides[k][label] * (carry ? 1 - size : 1);
    if (!carry) return true;
    o->at[i] = 0;
  }
  return false;
}

static double sum_products(odometer *o, const double *const *data, const int64_t *start) {
  int64_t offsets[MAX_OPERANDS];
  double sum = 0;
  memcpy(offsets, start, sizeof offsets);
  do {
    double product = 1;
    for (int k = 0; k < o->e->operand_count; k++) product *= data[k][offsets[k]];
    sum += product;
  } while (advance(o, offsets));
  return sum;
}

/* An operand's stride along each label: summed over its axes of that label, 0 for stretched axes. */
static void label_strides(const einsum *e, int operand, const rg_shape *shape, int64_t *strides) {
  int64_t step = 1;
  for (int axis = shape->rank - 1; axis >= 0; axis--) {
    int label = e->label[operand][axis];
    if (shape->dims[axis] == e->size[label]) strides[label] += step;
    step *= shape->dims[axis];
  }
}

static rango_status compute_einsum(rg_exec *exec) {
  einsum e;
  int ranks[MAX_OPERANDS] = {0}, count = exec->input_count;
  const int64_t *dims[MAX_OPERANDS] = {NULL};
  double *data[MAX_OPERANDS] = {NULL}, *sums = NULL;
  int64_t strides[MAX_OPERANDS][LABELS], offsets[MAX_OPERANDS] = {0}, total, terms = 1;
  if (count < 1 || count > MAX_OPERANDS) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%d inputs", count);
  for (int i = 0; i < count; i++) {
    const rango_tensor *x;
    RG_TRY(rg_need_tensor(exec, i, 0, &x));
    ranks[i] = x->shape.rank;
    dims[i] = x->shape.dims;
    RG_TRY(rg_scratch_doubles(exec, x, &data[i]));
  }
  const char *error = parse(&e, rg_node_string(exec->node, "equation", ""), count, ranks, dims);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  memset(strides, 0, sizeof strides);
  for (int i = 0; i < count; i++) label_strides(&e, i, &rg_exec_input(exec, i)->shape, strides[i]);
  rg_shape shape = {.rank = e.out_rank};
  for (int i = 0; i < e.out_rank; i++) shape.dims[i] = e.size[e.out_label[i]];
  for (int i = 0; i < e.sum_rank; i++) terms *= e.size[e.sum_label[i]] > 0; /* 0 when a sum is empty */
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, rg_exec_input(exec, 0)->type, &shape, &y));
  RG_TRY(rg_shape_count(&shape, &total));
  if (!y || total == 0) return RANGO_OK;
  RG_TRY(rg_scratch_array(exec, total, sizeof *sums, RG_OUT(&sums)));
  odometer outer = {.e = &e, .labels = e.out_label, .count = e.out_rank, .strides = (const int64_t(*)[LABELS])strides};
  odometer inner = {.e = &e, .labels = e.sum_label, .count = e.sum_rank, .strides = (const int64_t(*)[LABELS])strides};
  for (int64_t i = 0; i < total; i++) {
    sums[i] = terms ? sum_products(&inner, (const double *const *)data, offsets) : 0;
    advance(&outer, offsets);
  }
  rg_store_row(y, 0, 1, total, sums);
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "Einsum", 12, RG_OPSET_MAX, 1, -1, 1, 1, RG_OP_FLOAT_ONLY, check_einsum, infer_einsum, compute_einsum,
     macs_einsum},
};
RG_OPS_EXPORT(einsum, ops);
