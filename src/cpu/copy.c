/* Concat, Split and Slice: runs of memory are copied. */

#include "cpu/families.h"
#include "cpu/nest.h"
#include "cpu/parallel.h"
#include "cpu/permute.h"
#include "cpu/product.h"

/* Whole bytes an element, known shapes, one layout in and out. */
static bool is_movable(const rg_prepare *prepare, int inputs) {
  const rg_layout layout = prepare->node->outputs[0]->layout;
  for (int i = 0; i < inputs; i++) {
    const rg_fact *x = prepare->inputs[i];
    if (!x || !rg_fact_is_concrete(x) || x->type == RANGO_STRING || rango_type_bits(x->type) < 8) return false;
    if (prepare->node->inputs[i]->layout != layout) return false;
  }
  for (int i = 0; i < prepare->output_count; i++) {
    const rg_fact *y = prepare->outputs[i];
    if (!y || !rg_fact_is_concrete(y) || prepare->node->outputs[i]->layout != layout) return false;
  }
  return true;
}

/* Elements before and behind an axis in the physical order. */
static void around(const rg_fact *fact, rg_layout layout, int axis, size_t *outer, size_t *inner) {
  int places[RANGO_MAX_RANK], place = 0;
  rg_physical_axes(fact->rank, layout, places);
  *outer = *inner = 1;
  while (places[place] != axis) *outer *= (size_t)fact->dims[places[place++]];
  for (int i = place + 1; i < fact->rank; i++) *inner *= (size_t)fact->dims[places[i]];
}

/* ---- Concat and Split: the whole is [outer][sum of parts], part i has [outer][bytes[i]] ---- */

typedef struct parts_state {
  size_t outer, whole_bytes; /* of a row */
  int count;
  size_t *bytes;
  rg_shape *shapes; /* of the outputs */
  rango_type type;
} parts_state;

typedef struct strip {
  const char *from;
  char *to;
  size_t from_step, to_step, bytes;
} strip;

static void strip_rows(const void *argument, size_t begin, size_t end) {
  const strip *s = argument;
  rg_copy_rows(s->to + begin * s->to_step, s->to_step, s->from + begin * s->from_step, s->from_step, s->bytes,
               end - begin);
}

static void copy_strip(rg_exec *exec, const parts_state *state, strip s) {
  if (s.bytes > 0) rg_cpu_parallel(exec->threads, state->outer, 1, state->outer * s.bytes / 2, strip_rows, &s);
}

static rango_status run_concat(rg_exec *exec) {
  const parts_state *state = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, state->type, &state->shapes[0], &y));
  char *to = y->data;
  for (int i = 0; i < state->count; i++) {
    const strip s = {rg_exec_input(exec, i)->data, to, state->bytes[i], state->whole_bytes, state->bytes[i]};
    copy_strip(exec, state, s);
    to += state->bytes[i];
  }
  return RANGO_OK;
}

static rango_status run_split(rg_exec *exec) {
  const parts_state *state = exec->state;
  const char *from = rg_exec_input(exec, 0)->data;
  for (int i = 0; i < state->count; i++) {
    rango_tensor *y;
    RG_TRY(rg_exec_output(exec, i, state->type, &state->shapes[i], &y));
    const strip s = {from, y->data, state->whole_bytes, state->bytes[i], state->bytes[i]};
    copy_strip(exec, state, s);
    from += state->bytes[i];
  }
  return RANGO_OK;
}

static rango_status prepare_parts(rg_prepare *prepare, const rg_fact *whole, const rg_fact *const *parts, int count,
                                  int outputs) {
  const rg_layout layout = prepare->node->outputs[0]->layout;
  int axis;
  if (whole->rank == 0 || !rg_axis(rg_node_int(prepare->node, "axis", 0), whole->rank, &axis)) return RANGO_OK;
  const size_t element = rango_type_bits(whole->type) / 8;
  size_t inner;
  parts_state *state;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_arena_calloc(prepare->arena, (size_t)count, sizeof *state->bytes, RG_OUT(&state->bytes)));
  RG_TRY(rg_arena_calloc(prepare->arena, (size_t)outputs, sizeof *state->shapes, RG_OUT(&state->shapes)));
  around(whole, layout, axis, &state->outer, &inner);
  state->type = whole->type;
  state->count = count;
  state->whole_bytes = (size_t)whole->dims[axis] * inner * element;
  for (int i = 0; i < count; i++) state->bytes[i] = (size_t)parts[i]->dims[axis] * inner * element;
  for (int i = 0; i < outputs; i++) RG_TRY(rg_fact_shape(prepare->outputs[i], &state->shapes[i]));
  prepare->state = state;
  return RANGO_OK;
}

static rango_status prepare_concat(rg_prepare *prepare) {
  if (!is_movable(prepare, prepare->input_count) || prepare->node->version < 4) return RANGO_OK;
  RG_TRY(prepare_parts(prepare, prepare->outputs[0], prepare->inputs, prepare->input_count, 1));
  if (prepare->state) prepare->run = run_concat;
  return RANGO_OK;
}

static rango_status prepare_split(rg_prepare *prepare) {
  for (int i = 0; i < prepare->output_count; i++)
    if (!prepare->outputs[i]) return RANGO_OK;
  if (!is_movable(prepare, 1)) return RANGO_OK;
  RG_TRY(prepare_parts(prepare, prepare->inputs[0], prepare->outputs, prepare->output_count, prepare->output_count));
  if (prepare->state) prepare->run = run_split;
  return RANGO_OK;
}

/* ---- Slice ---- */

typedef struct slice_state {
  rg_permute permute;
  size_t begin; /* bytes */
  rango_type type;
  rg_shape shape;
} slice_state;

static rango_status run_slice(rg_exec *exec) {
  const slice_state *state = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, state->type, &state->shape, &y));
  rg_permute_run(&state->permute, exec->threads, (const char *)rg_exec_input(exec, 0)->data + state->begin, y->data);
  return RANGO_OK;
}

/* Integers of an input that are known now, or of an attribute; NULL and false when they come at run time. */
static bool known_integers(const rg_prepare *prepare, int input, const char *attribute, const int64_t **values,
                           size_t *count, int64_t *room) {
  *values = NULL;
  *count = 0;
  if (prepare->node->version < 10) {
    *values = rg_node_ints(prepare->node, attribute, count);
    return true;
  }
  if (input >= prepare->input_count || !prepare->inputs[input]) return true;
  const rg_fact *fact = prepare->inputs[input];
  const rango_tensor *constant = fact->constant;
  if (constant && constant->shape.rank == 1 && constant->shape.dims[0] <= RANGO_MAX_RANK) {
    *count = (size_t)constant->shape.dims[0];
    for (size_t i = 0; i < *count; i++) room[i] = rg_tensor_get_i64(constant, (int64_t)i);
    *values = room;
    return true;
  }
  for (int64_t i = 0; fact->known && i < fact->known_count; i++)
    if (!rg_size_is_known(fact->known[i])) return false;
  *values = fact->known;
  *count = (size_t)fact->known_count;
  return fact->known != NULL && *count <= RANGO_MAX_RANK;
}

/* First index and step along each axis; false where they aren't known, or a step is negative. */
static bool read_slice(const rg_prepare *prepare, size_t *first, size_t *step) {
  const rg_fact *x = prepare->inputs[0];
  int64_t room[3][RANGO_MAX_RANK];
  const int64_t *starts, *axes, *steps;
  size_t count, axis_count, step_count;
  if (!known_integers(prepare, 1, "starts", &starts, &count, room[0]) ||
      !known_integers(prepare, 3, "axes", &axes, &axis_count, room[1]) ||
      !known_integers(prepare, 4, "steps", &steps, &step_count, room[2]))
    return false;
  if ((axes && axis_count != count) || (steps && step_count != count) || count > (size_t)x->rank) return false;
  for (int i = 0; i < x->rank; i++) first[i] = 0, step[i] = 1;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!rg_axis(axes ? axes[i] : (int64_t)i, x->rank, &axis) || (steps && steps[i] < 1)) return false;
    const int64_t size = x->dims[axis];
    int64_t start = starts[i] < 0 ? starts[i] + size : starts[i];
    if (start < 0) start = 0;
    first[axis] = (size_t)(start > size ? size : start);
    step[axis] = steps ? (size_t)steps[i] : 1;
  }
  return true;
}

static rango_status prepare_slice(rg_prepare *prepare) {
  size_t first[RANGO_MAX_RANK], step[RANGO_MAX_RANK], strides[RANGO_MAX_RANK];
  if (!is_movable(prepare, 1) || !read_slice(prepare, first, step)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  const rg_layout layout = prepare->node->outputs[0]->layout;
  const size_t element = rango_type_bits(x->type) / 8;
  size_t dims[RANGO_MAX_RANK], steps[RANGO_MAX_RANK], begin = 0;
  int places[RANGO_MAX_RANK];
  if (rg_cpu_count(y, 0, y->rank) == 0) return RANGO_OK;
  rg_physical_axes(x->rank, layout, places);
  rg_physical_strides(x->rank, x->dims, layout, strides);
  for (int i = 0; i < x->rank; i++) {
    const int axis = places[i];
    dims[i] = (size_t)y->dims[axis];
    steps[i] = strides[axis] * step[axis];
    begin += strides[axis] * first[axis];
    if (first[axis] + (dims[i] - 1) * step[axis] >= (size_t)x->dims[axis]) return RANGO_OK;
  }
  slice_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  rg_permute_make(&state->permute, prepare->kernels->vector, element, x->rank, dims, steps);
  state->begin = begin * element;
  state->type = x->type;
  RG_TRY(rg_fact_shape(y, &state->shape));
  prepare->state = state;
  prepare->run = run_slice;
  return RANGO_OK;
}

/* ---- layouts ---- */

static rg_layout_support concat_layout(const rg_node *node, const rg_facts *facts) {
  for (int i = 0; i < node->input_count; i++) {
    const rg_fact *x = node->inputs[i] ? rg_facts_of(facts, node->inputs[i]) : NULL;
    if (!x || x->type != RANGO_FLOAT32 || x->rank < 3 || rg_value_constant(node->inputs[i])) return RG_LAYOUT_NONE;
  }
  return node->version >= 4 ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static rg_layout_support split_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  for (int i = 0; i < node->output_count; i++)
    if (!node->outputs[i]) return RG_LAYOUT_NONE;
  return x && x->type == RANGO_FLOAT32 && x->rank >= 3 ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {"", "Concat", prepare_concat, concat_layout},
    {"", "Split", prepare_split, split_layout},
    {"", "Slice", prepare_slice, NULL},
};
RG_CPU_EXPORT(copy, operators);
