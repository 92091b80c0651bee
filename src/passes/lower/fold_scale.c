/*
 * What scales and shifts the input of a rango.Dense or rango.Conv goes into its weights and bias: an image's Cast, Div
 * and Sub in front of the first layer. Where padding would have to be shifted, only what scales is taken; and a shift
 * only behind a Cast from 8-bit integers, whose range is known: elsewhere the sum of a large shift and what it takes
 * away again could lose digits that the difference had kept.
 */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "passes/lower/lower.h"

#define MOST_CHANNELS 4096
#define MOST_WEIGHTS  ((size_t)4 << 20) /* bytes: larger ones stay where they are in the file */

/* The layer's input as scale[c] source + shift[c]. */
typedef struct affine {
  rg_value *source;
  int64_t channels; /* along axis 1 */
  bool shifts;
  double scale[MOST_CHANNELS], shift[MOST_CHANNELS];
} affine;

/* Element of channel c of a constant that is a number, or a vector along axis 1 of `rank` axes. */
static bool channel_constant(const rg_value *value, int rank, int64_t channels, const float **out, int64_t *step) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  int64_t count;
  if (!tensor || tensor->type != RANGO_FLOAT32 || tensor->shape.rank > rank ||
      rg_shape_count(&tensor->shape, &count) != RANGO_OK)
    return false;
  const int axis = 1 - (rank - tensor->shape.rank);
  if (count != 1 && (axis < 0 || count != channels || tensor->shape.dims[axis] != channels)) return false;
  *out = tensor->data;
  *step = count == 1 ? 0 : 1;
  return true;
}

/* One step upwards: `node` makes the affine's source from its input `from`. */
static bool take_step(affine *f, const rg_node *node, int rank, bool may_shift, int from) {
  const bool add = rg_node_is(node, "Add"), sub = rg_node_is(node, "Sub"), mul = rg_node_is(node, "Mul");
  const bool shift = add || sub;
  const float *c;
  int64_t step;
  if ((!shift && !mul && !rg_node_is(node, "Div")) || (from == 1 && !add && !mul) || (shift && !may_shift))
    return false;
  if (!channel_constant(node->inputs[1 - from], rank, f->channels, &c, &step)) return false;
  for (int64_t i = 0; i < f->channels; i++) {
    const double number = (double)c[i * step];
    if (!isfinite(number) || (!shift && number == 0)) return false;
  }
  for (int64_t i = 0; i < f->channels; i++) {
    const double number = (double)c[i * step];
    if (shift)
      f->shift[i] += f->scale[i] * (sub ? -number : number);
    else
      f->scale[i] *= mul ? number : 1 / number;
  }
  f->shifts = f->shifts || shift;
  f->source = node->inputs[from];
  return true;
}

static bool is_from_bytes(const rg_value *value, const rg_facts *facts) {
  const rg_node *cast = value->producer;
  if (!cast || !rg_node_is(cast, "Cast")) return false;
  const rango_type type = rg_facts_of(facts, cast->inputs[0])->type;
  return type == RANGO_UINT8 || type == RANGO_INT8;
}

/* Where the chain of sums and products with constants above `value` begins. */
static const rg_value *chain_begin(const rg_value *value) {
  for (const rg_node *node; (node = value->producer) != NULL && node->input_count == 2;) {
    const int from = rg_value_constant(node->inputs[0]) ? 1 : 0;
    if (!rg_value_constant(node->inputs[1 - from])) break;
    value = node->inputs[from];
  }
  return value;
}

/* Follows the chain above `value`, which the layer alone uses, as far as it may be taken. */
static bool find_affine(rg_value *value, const rg_facts *facts, bool may_shift, affine *f) {
  const rg_fact *fact = rg_facts_of(facts, value);
  if (!rg_lower_is_float32(facts, value) || fact->rank < 2 || !rg_size_is_known(fact->dims[1]) || fact->dims[1] < 1 ||
      fact->dims[1] > MOST_CHANNELS)
    return false;
  f->source = value;
  f->channels = fact->dims[1];
  f->shifts = false;
  for (int64_t i = 0; i < f->channels; i++) {
    f->scale[i] = 1;
    f->shift[i] = 0;
  }
  may_shift = may_shift && is_from_bytes(chain_begin(value), facts);
  while (rg_lower_only_user(f->source) && f->source->producer && f->source->producer->input_count == 2) {
    const rg_node *node = f->source->producer;
    const int from = rg_value_constant(node->inputs[0]) ? 1 : 0;
    const rg_fact *in = rg_facts_of(facts, node->inputs[from]);
    if (!rg_lower_is_float32(facts, node->inputs[from]) || in->rank != fact->rank || in->dims[1] != f->channels) break;
    if (!take_step(f, node, fact->rank, may_shift, from)) break;
  }
  return f->source != value;
}

/* ---- weights ---- */

/* Where the weight's element [out][in] [rest] belongs: its channel of the input. */
typedef struct weight_map {
  int64_t outs, ins, rest;       /* sizes; element at out * out_step + in * in_step + rest */
  int64_t out_step, in_step;     /* elements */
  int64_t group_outs, group_ins; /* convolution: channels of a group */
  int64_t each;                  /* dense: inputs of one channel */
} weight_map;

static bool map_weight(const rg_node *node, const rango_tensor *w, int64_t channels, weight_map *map) {
  const int64_t *d = w->shape.dims;
  *map = (weight_map){.rest = 1, .each = 1};
  if (rg_lower_is_private(node, "Dense")) {
    const bool trans = rg_node_int(node, "trans", 0) != 0;
    map->outs = map->group_outs = d[trans ? 0 : 1];
    map->ins = map->group_ins = d[trans ? 1 : 0];
    map->out_step = trans ? map->ins : 1;
    map->in_step = trans ? 1 : map->outs;
    map->each = map->ins / channels;
    return map->ins % channels == 0;
  }
  const int64_t group = rg_node_int(node, "group", 1);
  for (int i = 2; i < w->shape.rank; i++) map->rest *= d[i];
  map->outs = d[0];
  map->ins = map->group_ins = d[1];
  map->group_outs = group > 0 ? d[0] / group : 0;
  map->in_step = map->rest;
  map->out_step = d[1] * map->rest;
  return map->group_outs > 0 && group * d[1] == channels;
}

/* In a mapped file weights may lie at any address. */
static double load(const float *from) {
  float weight;
  memcpy(&weight, from, sizeof weight);
  return (double)weight;
}

/* One channel's weights of one output, `step` apart: to = w times its scale. Returns the sum of w. */
static double scale_run(const float *w, float *to, int64_t count, int64_t step, double scale) {
  double even = 0, odd = 0; /* two sums: an addition waits for the one before */
  for (int64_t i = 0; i < count; i++, w += step, to += step) {
    const double weight = load(w);
    *to = (float)(weight * scale);
    const double swap = even + weight;
    even = odd;
    odd = swap;
  }
  return even + odd;
}

/* The sum alone, in eight chains that a vector unit takes together where the weights are neighbours. */
static double sum_run(const float *w, int64_t count, int64_t step) {
  enum { CHAINS = 8 };
  double sums[CHAINS] = {0}, sum = 0;
  int64_t i = 0;
  for (; step == 1 && i + CHAINS <= count; i += CHAINS)
    for (int j = 0; j < CHAINS; j++) sums[j] += load(w + i + j);
  for (int j = 0; j < CHAINS; j++) sum += sums[j];
  for (; i < count; i++) sum += load(w + i * step);
  return sum;
}

/* to = w times its channels' scales; sums[out] = w times their shifts. A channel's weights are one behind the other but
 * where the matrix isn't transposed. */
static void scale_weight(const weight_map *map, const affine *f, const float *w, float *to, double *sums) {
  const int64_t run = map->each * map->rest, step = map->in_step / map->rest;
  for (int64_t out = 0; out < map->outs; out++) {
    int64_t channel = out / map->group_outs * map->group_ins / map->each;
    for (int64_t in = 0; in < map->ins; in += map->each, channel++) {
      const int64_t at = out * map->out_step + in * map->in_step;
      sums[out] += f->shift[channel] * scale_run(w + at, to + at, run, step, f->scale[channel]);
    }
  }
}

/* The sums alone. */
static void add_shifts(const weight_map *map, const affine *f, const float *w, double *sums) {
  const int64_t run = map->each * map->rest, step = map->in_step / map->rest;
  for (int64_t out = 0; out < map->outs; out++)
    for (int64_t in = 0; in < map->ins; in += map->each)
      sums[out] += f->shift[in / map->each] * sum_run(w + out * map->out_step + in * map->in_step, run, step);
}

static rango_status replace_input(rg_node *node, int input, const char *name, rango_tensor *tensor) {
  rg_value *value;
  rango_status status = rg_graph_add_constant(node->graph, name, tensor, &value);
  if (status != RANGO_OK) {
    rg_tensor_clear(tensor);
    return status;
  }
  if (node->input_count <= input) RG_TRY(rg_node_set_input_count(node, input + 1));
  return rg_node_set_input(node, input, value);
}

static rango_status scaled_copy(rg_node *node, const weight_map *map, const affine *f, double *sums) {
  const rango_tensor *w = rg_value_constant(node->inputs[1]);
  rango_tensor scaled = {0};
  RG_TRY(rg_tensor_init(&scaled, RANGO_FLOAT32, &w->shape));
  scale_weight(map, f, w->data, scaled.data, sums);
  rg_buffer_forget_pages(w->buffer, w->data, w->bytes); /* the file's are needed no more */
  return replace_input(node, 1, node->inputs[1]->name, &scaled);
}

static rango_status rewrite(rg_node *node, const weight_map *map, const affine *f, bool in_place) {
  const rango_tensor *bias = rg_lower_input(node, 2) ? rg_value_constant(node->inputs[2]) : NULL;
  rango_tensor shifted = {0};
  double *sums;
  RG_TRY(rg_calloc((size_t)map->outs, sizeof *sums, RG_OUT(&sums)));
  rango_status status;
  RG_TRY_DONE(rg_tensor_init(&shifted, RANGO_FLOAT32, &(rg_shape){1, {map->outs}}));
  if (in_place) {
    if (f->shifts) add_shifts(map, f, rg_value_constant(node->inputs[1])->data, sums);
    RG_TRY_DONE(rg_node_set_float(node, "scale", (float)f->scale[0]));
  } else {
    RG_TRY_DONE(scaled_copy(node, map, f, sums));
  }
  for (int64_t i = 0; i < map->outs; i++)
    ((float *)shifted.data)[i] = (float)(sums[i] + (bias ? rg_tensor_get_double(bias, i) : 0));
  if (f->shifts) RG_TRY_DONE(replace_input(node, 2, node->inputs[1]->name, &shifted));
done:
  rg_tensor_clear(&shifted);
  rg_free(sums);
  return status;
}

/* ---- layers ---- */

static bool is_padded(const rg_node *node) {
  size_t count;
  const int64_t *pads = rg_node_ints(node, "pads", &count);
  const char *automatic = rg_node_string(node, "auto_pad", "NOTSET");
  for (size_t i = 0; pads && i < count; i++)
    if (pads[i] != 0) return true;
  return strcmp(automatic, "NOTSET") != 0 && strcmp(automatic, "VALID") != 0;
}

/* A Reshape or Flatten of [rows, channels...] to [rows, k] in front of a Dense, or NULL. */
static rg_node *flattening(const rg_node *node, const rg_facts *facts, int64_t k) {
  rg_node *view = node->inputs[0]->producer;
  if (!view || (!rg_node_is(view, "Reshape") && !rg_node_is(view, "Flatten")) || !rg_lower_only_user(node->inputs[0]))
    return NULL;
  const rg_fact *in = rg_facts_of(facts, view->inputs[0]), *out = rg_facts_of(facts, view->outputs[0]);
  int64_t count = 1;
  if (in->rank < 2 || out->rank != 2) return NULL;
  for (int i = 1; i < in->rank; i++)
    if (!rg_size_is_known(in->dims[i]) || !rg_mul_i64(count, in->dims[i], &count)) return NULL;
  return count == k ? view : NULL;
}

static bool is_weight(const rg_value *value) {
  const rango_tensor *tensor = value ? rg_value_constant(value) : NULL;
  return tensor && tensor->type == RANGO_FLOAT32 && tensor->bytes <= MOST_WEIGHTS;
}

/* One scale for all of a dense layer's weights is its attribute: no copy of them. A pair's first half has none. */
static bool is_in_place(const rg_node *node, const affine *f) {
  const rg_node *next = rg_lower_only_user(node->outputs[0]);
  if (!rg_lower_is_private(node, "Dense") || (next && rg_lower_is_private(next, "Dense"))) return false;
  for (int64_t i = 1; i < f->channels; i++)
    if (f->scale[i] != f->scale[0]) return false;
  return true;
}

static rango_status fold(rg_node *node, const rg_facts *facts, affine *f, int *changes) {
  const bool conv = rg_lower_is_private(node, "Conv");
  const rango_tensor *w = rg_value_constant(node->inputs[1]);
  const int64_t k = w->shape.dims[rg_node_int(node, "trans", 0) ? 1 : 0];
  rg_node *view = conv ? NULL : flattening(node, facts, k);
  rg_value *x = view ? view->inputs[0] : node->inputs[0];
  weight_map map;
  if (!conv && !view && rg_facts_of(facts, x)->rank != 2) return RANGO_OK;
  if (!find_affine(x, facts, !conv || !is_padded(node), f) || !map_weight(node, w, f->channels, &map)) return RANGO_OK;
  RG_TRY(rewrite(node, &map, f, is_in_place(node, f)));
  ++*changes;
  return rg_node_set_input(view ? view : node, 0, f->source);
}

static rango_status visit(rg_node *node, const rg_facts *facts, int *changes) {
  if (!rg_lower_is_private(node, "Conv") && !rg_lower_is_private(node, "Dense")) return RANGO_OK;
  if (!node->inputs[0]->producer || !is_weight(node->inputs[1]) ||
      (rg_lower_input(node, 2) && !is_weight(node->inputs[2])))
    return RANGO_OK;
  affine *f;
  RG_TRY(rg_alloc(sizeof *f, RG_OUT(&f)));
  rango_status status = fold(node, facts, f, changes);
  rg_free(f);
  return status;
}

rango_status rg_pass_fold_scale(rango_model *model, int *changes) { return rg_lower_nodes(model, visit, changes); }
