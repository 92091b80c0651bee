/* BatchNormalization in inference is one factor and one offset a channel; behind a Conv, ConvTranspose, Gemm or MatMul
 * with constant weights both go into the weights: s = scale / sqrt(variance + epsilon),   W' = s W,   b' = s (b - mean)
 * + offset      (in double precision) */
#include <math.h>
#include <string.h>

#include "passes/canonical/rewrite.h"

typedef struct folding {
  rg_pass_facts facts;
  int changes;
} folding;

/* Where the output channels of a weight lie: element (o, c, i) at ((o * channels) + c) * inner + i. ConvTranspose's
 * [C, M/g, ...] has a group's channels in the axis 1 of that group's rows. */
typedef struct channels {
  int64_t outer, count, inner;
  int64_t rows_per_group; /* ConvTranspose: rows (axis 0) of a group; otherwise 0 */
} channels;

typedef struct affine {
  int64_t count;
  double *factor, *offset; /* [count] */
} affine;

/* A constant float vector of so many elements, or NULL. */
static const rango_tensor *vector(const rg_node *node, int index, int64_t count) {
  const rango_tensor *tensor = rg_value_constant(rg_node_input(node, index));
  return tensor && rg_type_is_float(tensor->type) && rango_tensor_count(tensor) == count ? tensor : NULL;
}

static rango_status read_affine(const rg_node *norm, int64_t count, affine *out, bool *done) {
  const rango_tensor *parts[4]; /* scale, offset, mean, variance */
  *done = false;
  for (int i = 0; i < 4; i++)
    if (!(parts[i] = vector(norm, i + 1, count))) return RANGO_OK;
  RG_TRY(rg_calloc((size_t)count, 2 * sizeof(double), RG_OUT(&out->factor)));
  out->offset = out->factor + count;
  out->count = count;
  double epsilon = rg_node_float(norm, "epsilon", 1e-5f);
  for (int64_t c = 0; c < count; c++) {
    double factor = rg_tensor_get_double(parts[0], c) / sqrt(rg_tensor_get_double(parts[3], c) + epsilon);
    out->factor[c] = factor;
    out->offset[c] = rg_tensor_get_double(parts[1], c) - factor * rg_tensor_get_double(parts[2], c);
    if (!isfinite(factor) || !isfinite(out->offset[c])) return RANGO_OK; /* left as it is, NaN and all */
  }
  *done = true;
  return RANGO_OK;
}

/* How the weight of a linear node is laid out; false when it isn't one that can be folded into. */
static bool find_channels(const folding *f, const rg_node *linear, const rg_shape *weight, channels *out) {
  const int64_t *dims = weight->dims;
  *out = (channels){1, 0, 1, 0};
  if (rg_node_is(linear, "Conv") && weight->rank >= 3) {
    out->count = dims[0];
    for (int i = 1; i < weight->rank; i++) out->inner *= dims[i];
    return true;
  }
  if (rg_node_is(linear, "ConvTranspose") && weight->rank >= 3) {
    int64_t groups = rg_node_int(linear, "group", 1);
    if (groups < 1 || dims[0] % groups) return false;
    out->outer = dims[0];
    out->rows_per_group = dims[0] / groups;
    out->count = dims[1];
    for (int i = 2; i < weight->rank; i++) out->inner *= dims[i];
    return true;
  }
  if (weight->rank != 2) return false;
  bool transposed = rg_node_is(linear, "Gemm") && rg_node_int(linear, "transB", 0);
  const rg_fact *input = rg_pass_fact(&f->facts, linear->inputs[0]);
  if (rg_node_is(linear, "MatMul") && (!input || input->rank != 2)) return false; /* else channels aren't columns */
  out->count = transposed ? dims[0] : dims[1];
  out->outer = transposed ? 1 : dims[0];
  out->inner = transposed ? dims[1] : 1;
  return rg_node_is(linear, "Gemm") || rg_node_is(linear, "MatMul");
}

static int64_t output_channels(const channels *layout) {
  return layout->rows_per_group ? layout->outer / layout->rows_per_group * layout->count : layout->count;
}

/* Elements [at, at + count) times `factor`. A weight in a mapped file may lie at any address. */
static void scale_elements(const rango_tensor *weight, int64_t at, int64_t count, double factor, rango_tensor *out) {
  if (weight->type != RANGO_FLOAT32) {
    for (int64_t i = at; i < at + count; i++) rg_tensor_set_double(out, i, rg_tensor_get_double(weight, i) * factor);
    return;
  }
  float *to = (float *)out->data + at;
  memcpy(to, (const float *)weight->data + at, (size_t)count * sizeof *to);
  for (int64_t i = 0; i < count; i++) to[i] = (float)(to[i] * factor);
}

static rango_status scaled_weight(const rango_tensor *weight, const channels *l, const affine *a, rango_tensor *out) {
  RG_TRY(rg_tensor_init(out, weight->type, &weight->shape));
  int64_t at = 0;
  for (int64_t o = 0; o < l->outer; o++) {
    int64_t first = l->rows_per_group ? o / l->rows_per_group * l->count : 0;
    for (int64_t c = 0; c < l->count; c++, at += l->inner)
      scale_elements(weight, at, l->inner, a->factor[first + c], out);
  }
  return RANGO_OK;
}

/* `old` may be NULL, or of one element that serves all channels (Gemm's C). */
static rango_status new_bias(const rango_tensor *weight, const rango_tensor *old, double beta, const affine *a,
                             rango_tensor *out) {
  RG_TRY(rg_tensor_init(out, weight->type, &(rg_shape){1, {a->count}}));
  bool one = old && rango_tensor_count(old) == 1;
  for (int64_t c = 0; c < a->count; c++) {
    double bias = old ? beta * rg_tensor_get_double(old, one ? 0 : c) : 0;
    rg_tensor_set_double(out, c, bias * a->factor[c] + a->offset[c]);
  }
  return RANGO_OK;
}

static bool is_inference(const rg_node *norm) {
  if (!rg_node_is(norm, "BatchNormalization") || !norm->definition || norm->input_count != 5) return false;
  if (rg_node_int(norm, "training_mode", 0) || !rg_node_int(norm, "spatial", 1)) return false;
  for (int i = 1; i < norm->output_count; i++)
    if (norm->outputs[i] && rg_value_is_used(norm->outputs[i])) return false;
  return true;
}

/* A bias that isn't constant can't take the factor; Gemm's C must be a row. */
static bool bias_fits(const rg_node *linear, int64_t count, const rango_tensor **out) {
  rg_value *bias = rg_node_input(linear, 2);
  *out = rg_value_constant(bias);
  if (!bias) return true;
  if (!*out || !rg_type_is_float((*out)->type)) return false;
  int64_t elements = rango_tensor_count(*out);
  bool column = (*out)->shape.rank == 2 && (*out)->shape.dims[0] != 1;
  return (elements == count || elements == 1) && (*out)->shape.rank <= 2 && !column;
}

/* MatMul has no bias: it becomes a Gemm of the same opset. */
static rango_status replace_linear(rg_node *linear, rg_value *weight, rg_value *bias, rg_node **out) {
  bool matmul = rg_node_is(linear, "MatMul");
  *out = linear;
  if (matmul) {
    RG_TRY(rg_graph_add_node(linear->graph, linear, "Gemm", "", linear->version, 3, 1, out));
    (*out)->name = linear->name;
    (*out)->definition = rg_op_find("", "Gemm", linear->version);
    RG_TRY(rg_node_set_input(*out, 0, linear->inputs[0]));
  } else if (linear->input_count < 3) {
    RG_TRY(rg_node_set_input_count(linear, 3));
  }
  RG_TRY(rg_node_set_input(*out, 1, weight));
  RG_TRY(rg_node_set_input(*out, 2, bias));
  if (rg_node_is(*out, "Gemm") && rg_node_attr(*out, "beta")) RG_TRY(rg_node_set_float(*out, "beta", 1));
  return RANGO_OK;
}

static rango_status rewrite(rg_node *norm, rg_node *linear, const rango_tensor *weight, const channels *layout,
                            const rango_tensor *old_bias, const affine *a) {
  rango_tensor tensor;
  rg_value *new_weight, *bias, *output = norm->outputs[0];
  rg_node *result;
  rg_value *old_bias_value = rg_node_input(linear, 2);
  double beta = rg_node_is(linear, "Gemm") ? rg_node_float(linear, "beta", 1) : 1;
  RG_TRY(scaled_weight(weight, layout, a, &tensor));
  RG_TRY(rg_graph_add_constant(linear->graph, linear->inputs[1]->name, &tensor, &new_weight));
  RG_TRY(new_bias(weight, old_bias, beta, a, &tensor));
  RG_TRY(rg_graph_add_constant(linear->graph, old_bias_value ? old_bias_value->name : norm->inputs[2]->name, &tensor,
                               &bias));
  RG_TRY(replace_linear(linear, new_weight, bias, &result));
  rg_node_remove(norm);
  if (result != linear) rg_node_remove(linear);
  rg_node_set_output(result, 0, output);
  return RANGO_OK;
}

static rango_status fold(folding *f, rg_node *norm) {
  rg_value *input = rg_node_input(norm, 0);
  rg_node *linear = input ? input->producer : NULL;
  channels layout;
  const rango_tensor *bias;
  if (!is_inference(norm) || !norm->outputs[0] || !linear || linear->graph != norm->graph) return RANGO_OK;
  if (!rg_value_is_private(input) || !linear->definition || linear->input_count < 2) return RANGO_OK;
  const rango_tensor *weight = rg_value_constant(linear->inputs[1]);
  if (!weight || !rg_type_is_float(weight->type) || weight->layout != RG_ROW_MAJOR) return RANGO_OK;
  if (!find_channels(f, linear, &weight->shape, &layout)) return RANGO_OK;
  int64_t count = output_channels(&layout);
  if (!bias_fits(linear, count, &bias)) return RANGO_OK;
  affine a = {0};
  bool done;
  rango_status status = read_affine(norm, count, &a, &done);
  if (status == RANGO_OK && done) {
    status = rewrite(norm, linear, weight, &layout, bias, &a);
    f->changes++;
  }
  rg_free(a.factor);
  return status;
}

static rango_status visit(rg_graph *graph, void *argument) {
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    RG_TRY(fold(argument, node));
  }
  return RANGO_OK;
}

static rango_status look_for_norm(rg_graph *graph, void *found) {
  for (const rg_node *node = graph->first; node; node = node->next)
    if (is_inference(node)) *(bool *)found = true;
  return RANGO_OK;
}

rango_status rg_pass_fold_batch_norm(rango_model *model, int *changes) {
  folding f = {0};
  bool found = false;
  RG_TRY(rg_model_visit_graphs(model, false, look_for_norm, &found));
  if (!found) return RANGO_OK; /* facts take time */
  RG_TRY(rg_pass_facts_create(model, &f.facts));
  rango_status status = rg_model_visit_graphs(model, false, visit, &f);
  rg_pass_facts_clear(&f.facts);
  *changes += f.changes;
  return status;
}
