/*
 * ConvTranspose by phases: with stride s, output pixels o of equal o mod s take the same taps, from neighbouring input
 * pixels. So each phase is a convolution of stride 1 with a part of the taps, and no product is made that is not
 * needed.
 */
#include "base/checked.h"
#include "cpu/conv.h"
#include "cpu/families.h"

/* Output pixels first + j * stride, j < count, on each axis; tap t looks at input pixel j + offsets[t]. */
typedef struct phase {
  int64_t first[3], count[3];
  size_t taps;
  const int64_t (*offsets)[3];
  rg_gemm gemm;
} phase;

typedef struct transpose_state {
  rg_conv_geometry geometry; /* of the node: x its input, y its output */
  rg_right right;            /* taps in the order of the phases */
  phase *phases;
  size_t phase_count, scratch;
  bool gather;
  const float *zeros; /* [group_in] */
  bool bias;
  rg_shape shape;
  rg_layout layout;
} transpose_state;

typedef struct transpose_source {
  const transpose_state *state;
  const phase *phase;
  const float *x, *b, *bias;
  float *y;
} transpose_source;

/* An item is a row of output pixels of one phase, image and group. */
typedef struct row_place {
  size_t group, image;
  int64_t z, y; /* j of the outer axes */
} row_place;

static row_place place_of(const transpose_source *source, size_t item) {
  const size_t groups = source->state->geometry.groups;
  const size_t lines = (size_t)source->phase->count[1], planes = (size_t)source->phase->count[0];
  return (row_place){.group = item % groups,
                     .y = (int64_t)(item / groups % lines),
                     .z = (int64_t)(item / groups / lines % planes),
                     .image = item / groups / lines / planes};
}

static bool inside(int64_t at, int64_t size) { return (uint64_t)at < (uint64_t)size; }

static void rows(const void *argument, size_t item, size_t begin, size_t count, float *scratch,
                 const float **pointers) {
  const transpose_source *source = argument;
  const transpose_state *state = source->state;
  const rg_conv_geometry *g = &state->geometry;
  const rg_gemm *gemm = &source->phase->gemm;
  const row_place place = place_of(source, item);
  const float *x = source->x + place.image * g->x.image_step + place.group * g->group_in * g->x.channel_step;
  for (size_t t = 0; t < source->phase->taps; t++) {
    const int64_t *offset = source->phase->offsets[t];
    const int64_t z = place.z + offset[0], y = place.y + offset[1];
    const bool line = inside(z, g->in[0]) && inside(y, g->in[1]);
    for (size_t i = 0; i < count; i++) {
      const int64_t at = (int64_t)(begin + i) + offset[2];
      const bool there = line && inside(at, g->in[2]);
      const size_t pixel = there ? (size_t)((z * g->in[1] + y) * g->in[2] + at) * g->x.pixel_step : 0;
      if (!state->gather) {
        pointers[t * gemm->kernels->mr + i] = there ? x + pixel : state->zeros;
        continue;
      }
      float *to = scratch + i * gemm->pack_floats + t * g->group_in;
      for (size_t c = 0; c < g->group_in; c++) to[c] = there ? x[pixel + c * g->x.channel_step] : 0.0f;
    }
  }
  for (size_t i = 0; state->gather && i < count; i++) pointers[i] = scratch + i * gemm->pack_floats;
}

static void item_of(const void *argument, size_t item, rg_gemm_item *out) {
  const transpose_source *source = argument;
  const rg_conv_geometry *g = &source->state->geometry;
  const row_place place = place_of(source, item);
  const int64_t z = source->phase->first[0] + place.z * g->stride[0];
  const int64_t y = source->phase->first[1] + place.y * g->stride[1];
  const size_t pixel = (size_t)((z * g->out[1] + y) * g->out[2] + source->phase->first[2]);
  const size_t channel = place.group * g->group_out;
  *out = (rg_gemm_item){
      .b = source->b + place.group * source->state->right.matrix_floats,
      .c = source->y + place.image * g->y.image_step + pixel * g->y.pixel_step + channel * g->y.channel_step,
      .bias = source->bias != NULL ? source->bias + channel : NULL,
  };
}

static rango_status run(rg_exec *exec) {
  const transpose_state *state = exec->state;
  transpose_source source = {.state = state, .x = rg_exec_input(exec, 0)->data};
  rango_tensor *y;
  void *scratch;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  RG_TRY(rg_right_get(&state->right, exec, &source.b));
  RG_TRY(rg_exec_scratch(exec, state->scratch, &scratch));
  y->layout = state->layout;
  source.y = y->data;
  if (state->bias) source.bias = rg_exec_input(exec, 2)->data;
  for (size_t i = 0; i < state->phase_count; i++) {
    source.phase = &state->phases[i];
    const rg_gemm_args args = {.source = &source,
                               .rows = rows,
                               .item = item_of,
                               .c_row = (size_t)state->geometry.stride[2] * state->geometry.y.pixel_step,
                               .c_column = state->geometry.y.channel_step};
    rg_gemm_run(&source.phase->gemm, &args, exec->threads, scratch);
  }
  return RANGO_OK;
}

/* ---- preparing ---- */

/* The pads that output_shape or auto_pad ask for, from the output's size. */
static void settle_pads(const rg_node *node, rg_conv_geometry *g, int spatial) {
  size_t wanted, count;
  rg_node_ints(node, "output_shape", &wanted);
  const int64_t *extra = rg_node_ints(node, "output_padding", &count);
  const char *mode = rg_node_string(node, "auto_pad", "NOTSET");
  const bool same = mode[0] == 'S';
  if (wanted == 0 && !same) return;
  for (int i = 3 - spatial; i < 3; i++) {
    const size_t axis = (size_t)(i - (3 - spatial));
    const int64_t full = (g->in[i] - 1) * g->stride[i] + (g->kernel[i] - 1) * g->dilation[i] + 1 +
                         (extra != NULL && axis < count ? extra[axis] : 0);
    const int64_t total = full > g->out[i] ? full - g->out[i] : 0;
    g->pad[i] = same && mode[5] == 'U' ? total / 2 : total - total / 2;
  }
}

/* Taps of one axis that reach output pixel `first`, and where they look: first + pad - tap * dilation = stride *
 * offset. */
static size_t axis_taps(const rg_conv_geometry *g, int axis, int64_t first, int64_t *taps, int64_t *offsets) {
  size_t count = 0;
  for (int64_t tap = 0; tap < g->kernel[axis]; tap++) {
    const int64_t reach = first + g->pad[axis] - tap * g->dilation[axis];
    if (reach % g->stride[axis] != 0) continue;
    taps[count] = tap;
    offsets[count++] = reach / g->stride[axis];
  }
  return count;
}

/* Fills the taps of a phase; their places in the weight go to order[]. */
static rango_status phase_taps(rg_arena *arena, const rg_conv_geometry *g, phase *part, size_t *order) {
  int64_t *taps[3], *offsets[3], (*all)[3];
  size_t count[3], t = 0;
  for (int i = 0; i < 3; i++) {
    RG_TRY(rg_arena_calloc(arena, (size_t)g->kernel[i], sizeof(int64_t), RG_OUT(&taps[i])));
    RG_TRY(rg_arena_calloc(arena, (size_t)g->kernel[i], sizeof(int64_t), RG_OUT(&offsets[i])));
    count[i] = axis_taps(g, i, part->first[i], taps[i], offsets[i]);
  }
  RG_TRY(rg_arena_calloc(arena, count[0] * count[1] * count[2] + 1, sizeof *all, RG_OUT(&all)));
  for (size_t z = 0; z < count[0]; z++)
    for (size_t y = 0; y < count[1]; y++)
      for (size_t x = 0; x < count[2]; x++, t++) {
        all[t][0] = offsets[0][z];
        all[t][1] = offsets[1][y];
        all[t][2] = offsets[2][x];
        order[t] = (size_t)((taps[0][z] * g->kernel[1] + taps[1][y]) * g->kernel[2] + taps[2][x]);
      }
  part->taps = t;
  part->offsets = all;
  return RANGO_OK;
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

/* Every phase that has pixels; the order of taps over all of them. Strides beyond the output make no phases. */
static rango_status make_phases(rg_arena *arena, transpose_state *state, size_t *order) {
  const rg_conv_geometry *g = &state->geometry;
  int64_t steps[3];
  for (int i = 0; i < 3; i++) steps[i] = min_i64(g->stride[i], g->out[i]);
  RG_TRY(rg_arena_calloc(arena, (size_t)(steps[0] * steps[1] * steps[2]) + 1, sizeof(phase), RG_OUT(&state->phases)));
  size_t at = 0;
  for (int64_t z = 0; z < steps[0]; z++)
    for (int64_t y = 0; y < steps[1]; y++)
      for (int64_t x = 0; x < steps[2]; x++) {
        phase *part = &state->phases[state->phase_count++];
        const int64_t first[3] = {z, y, x};
        for (int i = 0; i < 3; i++) {
          part->first[i] = first[i];
          part->count[i] = (g->out[i] - first[i] + g->stride[i] - 1) / g->stride[i];
        }
        RG_TRY(phase_taps(arena, g, part, order + at));
        at += part->taps;
      }
  state->right.taps = at;
  return RANGO_OK;
}

static rango_status plan_phases(rg_prepare *prepare, transpose_state *state) {
  const rg_conv_geometry *g = &state->geometry;
  size_t at = 0;
  for (size_t i = 0; i < state->phase_count; i++) {
    phase *part = &state->phases[i];
    const size_t items = g->batch * (size_t)(part->count[0] * part->count[1]) * g->groups, k = part->taps * g->group_in;
    size_t bytes;
    rg_gemm_plan(&part->gemm, prepare->kernels, prepare->threads, items, (size_t)part->count[2], g->group_out,
                 state->gather ? 1 : part->taps, state->gather ? k : g->group_in, state->gather ? k : 0);
    part->gemm.b_rows = state->right.taps * g->group_in;
    part->gemm.b_first = at * g->group_in;
    at += part->taps;
    RG_TRY(rg_gemm_scratch_bytes(&part->gemm, &bytes));
    if (bytes > state->scratch) state->scratch = bytes;
  }
  return RANGO_OK;
}

static rango_status prepare_conv_transpose(rg_prepare *prepare) {
  if (!rg_conv_is_supported(prepare)) return RANGO_OK;
  const rg_node *node = prepare->node;
  const rg_fact *x = prepare->inputs[0], *w = prepare->inputs[1], *y = prepare->outputs[0];
  transpose_state *state;
  float *zeros;
  size_t *order;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  rg_conv_geometry *g = &state->geometry;
  RG_TRY(rg_conv_geometry_read(node, "", x, w, y, g));
  settle_pads(node, g, x->rank - 2);
  state->layout = node->outputs[0]->layout;
  g->x = rg_image_of(x, node->inputs[0]->layout);
  g->y = rg_image_of(y, state->layout);
  state->gather = node->inputs[0]->layout != RG_CHANNELS_LAST;
  state->bias = prepare->input_count > 2 && prepare->inputs[2] != NULL;
  RG_TRY(rg_arena_calloc(prepare->arena, g->group_in, sizeof *zeros, RG_OUT(&zeros)));
  RG_TRY(rg_arena_calloc(prepare->arena, g->taps + 1, sizeof *order, RG_OUT(&order)));
  state->zeros = zeros;
  RG_TRY(make_phases(prepare->arena, state, order));
  /* W is [groups * group_in][group_out][taps]. */
  state->right.kernels = prepare->kernels;
  state->right.input = 1;
  state->right.matrices = g->groups;
  state->right.k = g->group_in;
  state->right.n = g->group_out;
  state->right.matrix_step = g->group_in * g->group_out * g->taps;
  state->right.tap_step = 1;
  state->right.tap_order = order;
  state->right.row = g->group_out * g->taps;
  state->right.column = g->taps;
  state->right.scale = 1.0f;
  RG_TRY(rg_right_prepare(&state->right, prepare));
  RG_TRY(plan_phases(prepare, state));
  RG_TRY(rg_fact_shape(y, &state->shape));
  prepare->scratch_bytes += rg_round_up(state->scratch, RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{"", "ConvTranspose", prepare_conv_transpose, rg_conv_layout}};
RG_CPU_EXPORT(conv_transpose, operators);
