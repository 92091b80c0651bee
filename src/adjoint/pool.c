/* Adjoints of pooling. */
#include "adjoint/backward.h"

typedef struct pool {
  rg_window window;
  int spatial;
  const int64_t *in, *out; /* [spatial] sizes */
  bool known;              /* these are numbers */
} pool;

static bool read_pool(const rg_node *node, const rg_facts *facts, pool *out) {
  const rg_fact *x = &facts->items[node->inputs[0]->id], *y = &facts->items[node->outputs[0]->id];
  *out = (pool){.spatial = x->rank - 2, .in = x->dims + 2, .out = y->dims + 2, .known = true};
  if (rg_window_read(node, out->spatial, NULL, &out->window) != RANGO_OK) return false;
  for (int i = 0; i < out->spatial; i++) {
    out->known &= rg_size_is_known(out->in[i]) && rg_size_is_known(out->out[i]);
    if (out->known) (void)rg_window_output(&out->window, i, out->in[i]);
  }
  return true;
}

/* Windows that lie side by side and cover the image: each element is in one. */
static bool is_tiling(const pool *p) {
  for (int i = 0; i < p->spatial; i++)
    if (!p->known || p->window.kernel[i] != p->window.stride[i] || p->window.dilation[i] != 1 ||
        p->window.pad_begin[i] || p->window.pad_end[i] || p->in[i] != p->out[i] * p->window.kernel[i])
      return false;
  return true;
}

/* Every element once for each element of its window. */
static rg_value *enlarged(rg_backward *b, const pool *p, rg_value *x) {
  rango_tensor factors;
  rg_value *scales = NULL;
  rg_shape shape = {1, {p->spatial + 2}};
  if (b->status == RANGO_OK) rg_back_fail(b, rg_tensor_init(&factors, RANGO_FLOAT32, &shape));
  if (b->status != RANGO_OK) return NULL;
  for (int i = 0; i < p->spatial + 2; i++)
    rg_tensor_set_double(&factors, i, i < 2 ? 1 : (double)p->window.kernel[i - 2]);
  rg_back_fail(b, rg_graph_add_constant(b->graph, b->name, &factors, &scales));
  rg_value *out = rg_back_op(b, "Resize", 3, x, NULL, scales);
  rg_back_set_string(b, out, "mode", "nearest");
  rg_back_set_string(b, out, "coordinate_transformation_mode", "asymmetric");
  rg_back_set_string(b, out, "nearest_mode", "floor");
  return out;
}

/* ---- MaxPool: the gradient goes to the first of the elements that are the maximum ---- */

/* How early an element's place in its window is: [1, 1, ...], the window's first place the largest number. */
static rg_value *precedence(rg_backward *b, const pool *p) {
  int64_t dims[RANGO_MAX_RANK] = {1, 1}, count = 1, places = 1;
  for (int i = 0; i < p->spatial; i++) {
    dims[2 + i] = p->in[i];
    count *= p->in[i];
    places *= p->window.kernel[i];
  }
  rg_value *out = rg_back_filled(b, p->spatial + 2, dims, 0);
  for (int64_t at = 0; out && at < count; at++) {
    int64_t rest = at, place = 0, step = 1;
    for (int i = p->spatial - 1; i >= 0; i--) {
      place += rest % p->in[i] % p->window.kernel[i] * step;
      step *= p->window.kernel[i];
      rest /= p->in[i];
    }
    rg_tensor_set_double(out->constant, at, (double)(places - place));
  }
  return out;
}

/* Where windows tile the image, whole images do it, in any layout: those elements that are the maximum keep their
 * precedence, all others get 0; the gradient goes where a window's greatest precedence is. */
static void tiling_max(rg_backward *b, const pool *p, rg_value *g) {
  rg_value *x = rg_back_input(b, 0), *rank = precedence(b, p);
  rg_value *below = rg_back_step(b, rg_back_sub(b, enlarged(b, p, b->node->outputs[0]), x));
  rg_value *left = rg_back_mul(b, rg_back_sub(b, rg_back_scalar(b, 1), below), rank);
  rg_value *best = rg_back_op(b, "MaxPool", 1, left);
  rg_back_set_ints(b, best, "kernel_shape", p->window.kernel, p->spatial);
  rg_back_set_ints(b, best, "strides", p->window.stride, p->spatial);
  rg_value *later = rg_back_step(b, rg_back_sub(b, enlarged(b, p, best), left));
  rg_back_give(b, 0, rg_back_mul(b, enlarged(b, p, g), rg_back_sub(b, rg_back_scalar(b, 1), later)));
}

/* In general MaxPool's own indices (into the whole tensor) say where; windows may overlap. */
static void scattered_max(rg_backward *b, rg_value *g) {
  rg_value *x = rg_back_input(b, 0), *again = rg_back_op(b, "MaxPool", 1, x);
  const int64_t flat = -1;
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_copy_attributes(again->producer, b->node));
  rg_back_set_int(b, again, "storage_order", 0);
  rg_value *indices = rg_back_reshape(b, rg_back_more(b, again), &flat, 1);
  rg_value *zeros = rg_back_reshape(b, rg_back_zeros_like(b, x), &flat, 1);
  rg_value *sum = rg_back_op(b, "ScatterElements", 3, zeros, indices, rg_back_reshape(b, g, &flat, 1));
  rg_back_set_string(b, sum, "reduction", "add");
  rg_back_give(b, 0, rg_back_reshape_like(b, sum, x));
}

static void max_pool(rg_backward *b, rg_value *g) {
  pool p;
  if (read_pool(b->node, b->facts, &p) && is_tiling(&p))
    tiling_max(b, &p, g);
  else
    scattered_max(b, g);
}

/* ---- AveragePool: a convolution with equal weights, channels being rows ---- */

/* How many elements a window's average is over, along an axis. */
static int64_t counted(const pool *p, int axis, int64_t at, bool include_pad) {
  const rg_window *w = &p->window;
  int64_t low = include_pad ? -w->pad_begin[axis] : 0, high = p->in[axis] + (include_pad ? w->pad_end[axis] : 0);
  int64_t count = 0;
  for (int64_t k = 0; k < w->kernel[axis]; k++) {
    int64_t place = at * w->stride[axis] - w->pad_begin[axis] + k * w->dilation[axis];
    count += place >= low && place < high;
  }
  return count;
}

/* 1 / number of elements, for every window: [1, 1, out...]. */
static rg_value *shares(rg_backward *b, const pool *p) {
  int64_t dims[RANGO_MAX_RANK] = {1, 1}, count = 1;
  bool include_pad = rg_node_int(b->node, "count_include_pad", 0) != 0;
  for (int i = 0; i < p->spatial; i++) count *= dims[2 + i] = p->out[i];
  rg_value *out = rg_back_filled(b, p->spatial + 2, dims, 0);
  for (int64_t at = 0; out && at < count; at++) {
    int64_t rest = at, number = 1;
    for (int i = p->spatial - 1; i >= 0; i--) {
      number *= counted(p, i, rest % p->out[i], include_pad);
      rest /= p->out[i];
    }
    rg_tensor_set_double(out->constant, at, number > 0 ? 1.0 / (double)number : 0);
  }
  return out;
}

static void average_pool(rg_backward *b, rg_value *g) {
  pool p;
  (void)read_pool(b->node, b->facts, &p);
  g = rg_back_mul(b, g, shares(b, &p));
  if (is_tiling(&p)) {
    rg_back_give(b, 0, enlarged(b, &p, g));
    return;
  }
  int64_t rows[RANGO_MAX_RANK] = {-1, 1}, kernel[RANGO_MAX_RANK] = {1, 1}, pads[2 * RANGO_MAX_RANK],
          rest[RANGO_MAX_RANK];
  for (int i = 0; i < p.spatial; i++) {
    int64_t reach = p.window.dilation[i] * (p.window.kernel[i] - 1) + 1;
    int64_t over = (p.out[i] - 1) * p.window.stride[i] + reach - p.window.pad_begin[i] - p.in[i];
    rows[2 + i] = p.out[i];
    kernel[2 + i] = p.window.kernel[i];
    pads[i] = p.window.pad_begin[i];
    pads[p.spatial + i] = over > 0 ? over : 0;
    rest[i] = over > 0 ? 0 : -over;
  }
  int rank = p.spatial + 2;
  rg_value *ones = rg_back_filled(b, rank, kernel, 1);
  rg_value *sum = rg_back_op(b, "ConvTranspose", 2, rg_back_reshape(b, g, rows, rank), ones);
  rg_back_set_ints(b, sum, "strides", p.window.stride, p.spatial);
  rg_back_set_ints(b, sum, "dilations", p.window.dilation, p.spatial);
  rg_back_set_ints(b, sum, "pads", pads, 2 * p.spatial);
  rg_back_set_ints(b, sum, "output_padding", rest, p.spatial);
  rg_back_give(b, 0, rg_back_reshape_like(b, sum, rg_back_input(b, 0)));
}

static bool supports_average(const rg_node *node, const rg_facts *facts, const bool *needed) {
  pool p;
  return read_pool(node, facts, &p) && p.known;
}

static const rg_adjoint_rule rules[] = {
    {"MaxPool", max_pool, NULL},
    {"AveragePool", average_pool, supports_average},
};
RG_ADJOINT_EXPORT(pool, rules);
