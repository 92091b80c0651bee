/* Adjoints of LSTM, GRU and RNN: backpropagation through time (Werbos 1990).
 *
 * What the forward run keeps, Y, gives every step's state before it, so that all gates come from two products over the
 * whole sequence. Only what really runs from step to step is a Scan: LSTM's cell state forwards, and backwards
 *   the state's gradient = (gates' gradients) R + what the step hands on by elements.
 * Everything here is time first, in the order in which a direction runs: [steps][batch][...]. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "adjoint/backward.h"

#define DIRECTIONS  2
#define FUNCTIONS   3 /* f, g, h */
#define SCANNED_MAX 10

typedef struct function {
  const char *name;
  double alpha, beta;
} function;

typedef struct layer {
  rg_backward *b;
  int64_t gates, hidden, inputs, directions;
  bool batch_first, first_reverse, linear_before_reset;
  function functions[DIRECTIONS][FUNCTIONS];
  rg_value *lengths;     /* [batch] int64; NULL: all the whole length */
  rg_value *mask, *rest; /* [steps][batch][1]: whether a row still runs, and 1 minus that; NULL without lengths */
} layer;

/* One direction. */
typedef struct run {
  layer *l;
  bool reverse;
  const function *functions;
  rg_value *x, *w, *r;             /* [steps][batch][inputs], [gates * hidden][inputs], [gates * hidden][hidden] */
  rg_value *w_bias, *r_bias;       /* [gates * hidden]; NULL: none */
  rg_value *h, *before;            /* [steps][batch][hidden]: the state after each step, and before it */
  rg_value *c0;                    /* [batch][hidden], LSTM */
  rg_value *g_y, *g_h, *g_c;       /* gradients: of h, of the last h and c; g_y NULL: none */
  rg_value *g_gates, *g_h0, *g_c0; /* found: [steps][batch][gates * hidden], [batch][hidden] */
  rg_value *g_recurrent;           /* gradients of what R makes, where they aren't g_gates */
  rg_value *read;                  /* GRU: what R's last third reads, where that isn't `before` */
} run;

/* ---- activations ---- */

static bool is_function(const char *name) {
  static const char *const names[] = {"Sigmoid", "Tanh", "Relu", "Softsign", "HardSigmoid"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcasecmp(name, names[i]) == 0) return true;
  return false;
}

/* False for one that has no derivative here. Parameters are handed out in order to those that take them. */
static bool read_functions(const rg_node *node, int64_t directions, function functions[][FUNCTIONS]) {
  static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
  const rg_attr *names = rg_node_attr(node, "activations"), *alphas = rg_node_attr(node, "activation_alpha"),
                *betas = rg_node_attr(node, "activation_beta");
  size_t each = rg_node_is(node, "LSTM") ? 3 : rg_node_is(node, "GRU") ? 2 : 1, taken = 0;
  for (size_t i = 0; i < each * (size_t)directions; i++) {
    function *f = &functions[i / each][i % each];
    *f = (function){each == 1 ? "Tanh" : usual[i % each], 0.2, 0.5};
    if (names) f->name = names->strings[i].text;
    if (!is_function(f->name)) return false;
    if (strcasecmp(f->name, "HardSigmoid") != 0) continue;
    if (alphas && taken < alphas->count) f->alpha = (double)alphas->floats[taken];
    if (betas && taken < betas->count) f->beta = (double)betas->floats[taken];
    taken++;
  }
  return true;
}

static rg_value *activate(rg_backward *b, const function *f, rg_value *x) {
  static const char *const names[] = {"Sigmoid", "Tanh", "Relu", "Softsign", "HardSigmoid"};
  size_t i = 0;
  while (strcasecmp(names[i], f->name) != 0) i++;
  rg_value *y = rg_back_op(b, names[i], 1, x);
  if (i < 4) return y;
  rg_back_set_float(b, y, "alpha", f->alpha);
  rg_back_set_float(b, y, "beta", f->beta);
  return y;
}

static rg_value *one_minus(rg_backward *b, rg_value *x) { return rg_back_sub(b, rg_back_scalar(b, 1), x); }

/* The derivative, from the function's value. */
static rg_value *slope(rg_backward *b, const function *f, rg_value *y) {
  if (strcasecmp(f->name, "Sigmoid") == 0) return rg_back_mul(b, y, one_minus(b, y));
  if (strcasecmp(f->name, "Tanh") == 0) return one_minus(b, rg_back_mul(b, y, y));
  if (strcasecmp(f->name, "Relu") == 0) return rg_back_step(b, y);
  if (strcasecmp(f->name, "Softsign") == 0) {
    rg_value *root = one_minus(b, rg_back_op(b, "Abs", 1, y));
    return rg_back_mul(b, root, root);
  }
  return rg_back_scale(b, rg_back_mul(b, rg_back_step(b, y), rg_back_step(b, one_minus(b, y))), f->alpha);
}

/* ---- pieces of arrays ---- */

/* Entry `index` of an axis that has `count`, without it. */
static rg_value *pick(rg_backward *b, rg_value *x, int64_t axis, int64_t index, int64_t count) {
  if (count > 1) x = rg_back_slice(b, x, &index, &(int64_t){index + 1}, &axis, &(int64_t){1}, 1);
  return rg_back_squeeze(b, "Squeeze", x, &axis, 1);
}

static rg_value *range(rg_backward *b, rg_value *x, int64_t axis, int64_t begin, int64_t end) {
  return rg_back_slice(b, x, &begin, &end, &axis, &(int64_t){1}, 1);
}

/* Gate `index` of [...][gates * hidden] with so many axes, or of its first axis where there is one. */
static rg_value *gate(const layer *l, rg_value *x, int64_t axis, int64_t index) {
  return range(l->b, x, axis, index * l->hidden, (index + 1) * l->hidden);
}

static rg_value *join(rg_backward *b, int axis, rg_value *x, rg_value *y, rg_value *z) {
  rg_value *row = rg_back_append(b, rg_back_append(b, NULL, x, axis), y, axis);
  return z ? rg_back_append(b, row, z, axis) : row;
}

static rg_value *masked(const layer *l, rg_value *x) { return l->mask ? rg_back_mul(l->b, x, l->mask) : x; }

/* x where a row runs, 1 where it rests: what its state is multiplied with. */
static rg_value *kept(const layer *l, rg_value *x) { return l->mask ? rg_back_add(l->b, masked(l, x), l->rest) : x; }

/* Time first or not, as the node has it, to time first, and back. */
static rg_value *swap_batch(const layer *l, rg_value *x) {
  return l->batch_first ? rg_back_transpose(l->b, x, (const int64_t[]){1, 0, 2}, 3) : x;
}

/* A sequence in the other order, each row's own steps alone. */
static rg_value *turn(const run *d, rg_value *x) {
  rg_backward *b = d->l->b;
  if (!d->reverse) return x;
  if (!d->l->lengths)
    return rg_back_slice(b, x, &(int64_t){-1}, &(int64_t){INT64_MIN}, &(int64_t){0}, &(int64_t){-1}, 1);
  rg_value *turned = rg_back_op(b, "ReverseSequence", 2, x, d->l->lengths);
  rg_back_set_int(b, turned, "time_axis", 0);
  rg_back_set_int(b, turned, "batch_axis", 1);
  return turned;
}

/* States before each step: `first` [batch][hidden] (NULL: zeros), and all but the last of x. */
static rg_value *before(rg_backward *b, rg_value *x, rg_value *first) {
  const int64_t time = 0;
  rg_value *rest = range(b, x, 0, 0, -1);
  if (first) return join(b, 0, rg_back_squeeze(b, "Unsqueeze", first, &time, 1), rest, NULL);
  return rg_back_op(b, "Pad", 4, rest, rg_back_ints(b, (const int64_t[]){1, 0}, 2), NULL, rg_back_ints(b, &time, 1));
}

/* [batch][hidden] of zeros. */
static rg_value *no_state(const run *d) {
  rg_backward *b = d->l->b;
  rango_tensor zero;
  rg_value *shape = rg_back_op(b, "Shape", 1, d->h);
  rg_back_set_int(b, shape, "start", 1);
  rg_value *out = rg_back_op(b, "ConstantOfShape", 1, shape);
  if (b->status != RANGO_OK) return NULL;
  rango_status status = rg_tensor_init(&zero, b->type, &(rg_shape){1, {1}});
  if (status == RANGO_OK) {
    rg_tensor_set_double(&zero, 0, 0);
    status = rg_node_set_tensor(out->producer, "value", &zero);
  }
  rg_back_fail(b, status);
  return out;
}

/* ---- Scan ---- */

typedef struct scan {
  rg_graph *outer;
  rg_node *node;
  rg_value *in[SCANNED_MAX]; /* the body's own, by place; NULL where none was given */
} scan;

static rango_status open_scan(rg_backward *b, rg_value *const *inputs, int count, int states, bool backwards, scan *s) {
  rg_graph *body;
  int64_t directions[SCANNED_MAX] = {0};
  int used = 0, scanned = 0;
  for (int i = 0; i < count; i++) used += inputs[i] != NULL;
  RG_TRY(rg_graph_add_node(b->graph, NULL, "Scan", "", b->version, used, states + 1, &s->node));
  RG_TRY(rg_graph_create(b->graph->model, s->node, &body));
  for (int i = 0, place = 0; i < count; i++) {
    if (!inputs[i]) continue;
    RG_TRY(rg_node_set_input(s->node, place++, inputs[i]));
    RG_TRY(rg_graph_add_value(body, b->name, &s->in[i]));
    RG_TRY(rg_graph_add_input(body, s->in[i]));
    if (i >= states) directions[scanned++] = backwards;
  }
  for (int i = 0; i <= states; i++) {
    rg_value *out;
    RG_TRY(rg_graph_add_value(b->graph, b->name, &out));
    rg_node_set_output(s->node, i, out);
  }
  s->node->name = s->node->outputs[0]->name;
  RG_TRY(rg_node_set_graph(s->node, "body", body));
  RG_TRY(rg_node_set_int(s->node, "num_scan_inputs", scanned));
  RG_TRY(rg_node_set_ints(s->node, "scan_input_directions", directions, (size_t)scanned));
  RG_TRY(rg_node_set_ints(s->node, "scan_output_directions", &(int64_t){backwards}, 1));
  s->outer = b->graph;
  b->graph = body;
  return RANGO_OK;
}

/* Inputs: the states' first values, then sequences; NULL ones are left out. Until scan_end nodes go to the body. */
static scan scan_begin(rg_backward *b, rg_value *const *inputs, int count, int states, bool backwards) {
  scan s = {0};
  if (b->status == RANGO_OK) rg_back_fail(b, open_scan(b, inputs, count, states, backwards, &s));
  return s;
}

/* The body's outputs: the next states, and what is collected. */
static void scan_end(rg_backward *b, scan *s, rg_value *const *outputs, int count) {
  for (int i = 0; i < count && b->status == RANGO_OK; i++) rg_back_fail(b, rg_graph_add_output(b->graph, outputs[i]));
  if (s->outer) b->graph = s->outer;
}

static rg_value *scan_output(const rg_backward *b, const scan *s, int index) {
  return b->status == RANGO_OK && s->node ? s->node->outputs[index] : NULL;
}

/* The gradient of the state after a step, from the next one and from Y. */
static rg_value *arriving(rg_backward *b, rg_value *state, rg_value *y) { return y ? rg_back_add(b, state, y) : state; }

/* What comes to the state before the step. */
static rg_value *leaving(rg_backward *b, rg_value *gates, rg_value *r, rg_value *state, rg_value *keep) {
  rg_value *sum = rg_back_op(b, "MatMul", 2, gates, r);
  return keep ? rg_back_add(b, sum, rg_back_mul(b, state, keep)) : sum;
}

/* ---- the three cells ---- */

/* x W' + h R' with all biases, or the first `columns` of it alone where h isn't all that R reads. */
static rg_value *projected(const run *d, rg_value *x, rg_value *matrix, rg_value *bias) {
  rg_backward *b = d->l->b;
  rg_value *out = rg_back_op(b, "MatMul", 2, x, rg_back_turned(b, matrix, 2));
  return bias ? rg_back_add(b, out, bias) : out;
}

static void rnn(run *d) {
  const layer *l = d->l;
  rg_backward *b = l->b;
  rg_value *factor = masked(l, slope(b, &d->functions[0], d->h));
  rg_value *inputs[] = {d->g_h, factor, d->g_y, l->rest};
  scan s = scan_begin(b, inputs, 4, 1, true);
  rg_value *state = arriving(b, s.in[0], s.in[2]), *gates = rg_back_mul(b, state, s.in[1]);
  scan_end(b, &s, (rg_value *[]){leaving(b, gates, d->r, state, s.in[3]), gates}, 2);
  d->g_h0 = scan_output(b, &s, 0);
  d->g_gates = scan_output(b, &s, 1);
}

/* c after each step: c = keep c + add. */
static rg_value *cell_states(const run *d, rg_value *keep, rg_value *add) {
  rg_backward *b = d->l->b;
  rg_value *inputs[] = {d->c0 ? d->c0 : no_state(d), keep, add};
  scan s = scan_begin(b, inputs, 3, 1, false);
  rg_value *c = rg_back_add(b, rg_back_mul(b, s.in[0], s.in[1]), s.in[2]);
  scan_end(b, &s, (rg_value *[]){c, rg_back_op(b, "Identity", 1, c)}, 2);
  return scan_output(b, &s, 1);
}

/* i, o, f = f(...), k = g(...); c = f c + i k; h = o h(c). */
static void lstm(run *d) {
  const layer *l = d->l;
  const function *f = d->functions;
  rg_backward *b = l->b;
  rg_value *all = rg_back_add(b, projected(d, d->x, d->w, d->w_bias), projected(d, d->before, d->r, d->r_bias));
  rg_value *i = activate(b, &f[0], gate(l, all, 2, 0)), *o = activate(b, &f[0], gate(l, all, 2, 1));
  rg_value *forget = activate(b, &f[0], gate(l, all, 2, 2)), *k = activate(b, &f[1], gate(l, all, 2, 3));
  rg_value *keep = kept(l, forget), *c = cell_states(d, keep, masked(l, rg_back_mul(b, i, k)));
  rg_value *shown = activate(b, &f[2], c), *c_before = before(b, c, d->c0);
  rg_value *row = join(b, 2, rg_back_mul(b, k, slope(b, &f[0], i)), rg_back_mul(b, shown, slope(b, &f[0], o)),
                       rg_back_mul(b, c_before, slope(b, &f[0], forget)));
  rg_value *factors = masked(l, rg_back_append(b, row, rg_back_mul(b, i, slope(b, &f[1], k)), 2));
  rg_value *through = masked(l, rg_back_mul(b, o, slope(b, &f[2], shown)));
  rg_value *inputs[] = {d->g_h, d->g_c, factors, through, keep, d->g_y, l->rest};
  scan s = scan_begin(b, inputs, 7, 2, true);
  rg_value *state = arriving(b, s.in[0], s.in[5]);
  rg_value *cell = rg_back_add(b, s.in[1], rg_back_mul(b, state, s.in[3]));
  rg_value *four = rg_back_append(b, join(b, 1, cell, state, cell), cell, 1);
  rg_value *gates = rg_back_mul(b, four, s.in[2]);
  scan_end(b, &s, (rg_value *[]){leaving(b, gates, d->r, state, s.in[6]), rg_back_mul(b, cell, s.in[4]), gates}, 3);
  d->g_h0 = scan_output(b, &s, 0);
  d->g_c0 = scan_output(b, &s, 1);
  d->g_gates = scan_output(b, &s, 2);
}

/* z, r = f(...); k = g(x Wh' + (r h) Rh') or, linear before the reset, g(x Wh' + r (h Rh')); h = (1 - z) k + z h. */
static void gru(run *d) {
  const layer *l = d->l;
  const function *f = d->functions;
  const bool linear = l->linear_before_reset;
  const int64_t two = 2 * l->hidden, three = 3 * l->hidden;
  rg_backward *b = l->b;
  rg_value *x = projected(d, d->x, d->w, d->w_bias);
  rg_value *r_both = range(b, d->r, 0, 0, two), *r_last = range(b, d->r, 0, two, three);
  rg_value *bias_last = d->r_bias ? range(b, d->r_bias, 0, two, three) : NULL;
  rg_value *both = rg_back_add(b, range(b, x, 2, 0, two),
                               projected(d, d->before, r_both, d->r_bias ? range(b, d->r_bias, 0, 0, two) : NULL));
  rg_value *z = activate(b, &f[0], gate(l, both, 2, 0)), *r = activate(b, &f[0], gate(l, both, 2, 1));
  rg_value *read = linear ? d->before : rg_back_mul(b, r, d->before);
  rg_value *last = projected(d, read, r_last, bias_last);
  rg_value *k = activate(b, &f[1], rg_back_add(b, gate(l, x, 2, 2), linear ? rg_back_mul(b, r, last) : last));
  rg_value *to_z = masked(l, rg_back_mul(b, rg_back_sub(b, d->before, k), slope(b, &f[0], z)));
  rg_value *to_k = masked(l, rg_back_mul(b, one_minus(b, z), slope(b, &f[1], k)));
  rg_value *to_r = rg_back_mul(b, linear ? last : d->before, slope(b, &f[0], r));
  rg_value *inputs[] = {d->g_h, to_z, to_k, to_r, r, kept(l, z), d->g_y};
  scan s = scan_begin(b, inputs, 7, 1, true);
  rg_value *state = arriving(b, s.in[0], s.in[6]);
  rg_value *g_z = rg_back_mul(b, state, s.in[1]), *g_k = rg_back_mul(b, state, s.in[2]), *next;
  rg_value *g_read = linear ? rg_back_mul(b, g_k, s.in[4]) : rg_back_op(b, "MatMul", 2, g_k, r_last);
  rg_value *g_r = rg_back_mul(b, linear ? g_k : g_read, s.in[3]);
  if (linear) {
    next = leaving(b, join(b, 1, g_z, g_r, g_read), d->r, state, s.in[5]);
  } else {
    next = leaving(b, join(b, 1, g_z, g_r, NULL), r_both, state, s.in[5]);
    next = rg_back_add(b, next, rg_back_mul(b, g_read, s.in[4]));
  }
  scan_end(b, &s, (rg_value *[]){next, join(b, 1, g_z, g_r, g_k)}, 2);
  d->g_h0 = scan_output(b, &s, 0);
  d->g_gates = scan_output(b, &s, 1);
  if (linear)
    d->g_recurrent = join(b, 2, range(b, d->g_gates, 2, 0, two), rg_back_mul(b, gate(l, d->g_gates, 2, 2), r), NULL);
  else
    d->read = read;
}

/* ---- gradients of the inputs ---- */

/* g' x over all steps and rows: [columns of g][columns of x]. */
static rg_value *outer(rg_backward *b, rg_value *g, int64_t rows, rg_value *x, int64_t columns) {
  rg_value *out = rg_back_op(b, "Gemm", 2, rg_back_reshape(b, g, (const int64_t[]){-1, rows}, 2),
                             rg_back_reshape(b, x, (const int64_t[]){-1, columns}, 2));
  rg_back_set_int(b, out, "transA", 1);
  return out;
}

static rg_value *recurrent_gradient(const run *d) {
  const layer *l = d->l;
  rg_backward *b = l->b;
  const int64_t two = 2 * l->hidden;
  rg_value *g = d->g_recurrent ? d->g_recurrent : d->g_gates;
  if (!d->read) return outer(b, g, l->gates * l->hidden, d->before, l->hidden);
  return join(b, 0, outer(b, range(b, g, 2, 0, two), two, d->before, l->hidden),
              outer(b, gate(l, g, 2, 2), l->hidden, d->read, l->hidden), NULL);
}

static rg_value *bias_gradient(const run *d) {
  rg_backward *b = d->l->b;
  const int64_t axes[] = {0, 1};
  rg_value *g = rg_back_reduce(b, "ReduceSum", d->g_gates, axes, 2, false);
  rg_value *r = d->g_recurrent ? rg_back_reduce(b, "ReduceSum", d->g_recurrent, axes, 2, false) : g;
  return join(b, 0, g, r, NULL);
}

typedef struct shares {
  rg_value *of[8]; /* by input, all directions */
} shares;

static void stack(rg_backward *b, int input, int64_t axis, rg_value *x, shares *out) {
  if (rg_back_wants(b, input))
    out->of[input] = rg_back_append(b, out->of[input], rg_back_squeeze(b, "Unsqueeze", x, &axis, 1), (int)axis);
}

static void collect(const run *d, shares *out) {
  const layer *l = d->l;
  rg_backward *b = l->b;
  if (rg_back_wants(b, 0)) rg_back_give(b, 0, swap_batch(l, turn(d, rg_back_op(b, "MatMul", 2, d->g_gates, d->w))));
  if (rg_back_wants(b, 1)) stack(b, 1, 0, outer(b, d->g_gates, l->gates * l->hidden, d->x, l->inputs), out);
  if (rg_back_wants(b, 2)) stack(b, 2, 0, recurrent_gradient(d), out);
  if (rg_back_wants(b, 3)) stack(b, 3, 0, bias_gradient(d), out);
  stack(b, 5, l->batch_first, d->g_h0, out);
  if (l->gates == 4) stack(b, 6, l->batch_first, d->g_c0, out);
}

/* ---- the node ---- */

static rg_value *weight(const layer *l, int input, int64_t direction) {
  rg_value *value = rg_back_input(l->b, input);
  return value ? pick(l->b, value, 0, direction, l->directions) : NULL;
}

static rg_value *state(const layer *l, rg_value *value, int64_t direction) {
  return value ? pick(l->b, value, l->batch_first, direction, l->directions) : NULL;
}

/* Y, or its gradient, of one direction: [steps][batch][hidden] in the order in which it runs. */
static rg_value *sequence(const run *d, rg_value *y, int64_t direction) {
  const layer *l = d->l;
  return y ? turn(d, swap_batch(l, pick(l->b, y, l->batch_first ? 2 : 1, direction, l->directions))) : NULL;
}

/* y: the node's Y, g_y its gradient (NULL: none). */
static run open_run(layer *l, rg_value *y, rg_value *g_y, int64_t direction) {
  rg_backward *b = l->b;
  const int64_t width = l->gates * l->hidden;
  run d = {.l = l, .reverse = l->first_reverse || direction == 1, .functions = l->functions[direction]};
  d.x = turn(&d, swap_batch(l, rg_back_input(b, 0)));
  d.w = weight(l, 1, direction);
  d.r = weight(l, 2, direction);
  rg_value *bias = weight(l, 3, direction), *h0 = state(l, rg_back_input(b, 5), direction);
  if (bias) {
    d.w_bias = range(b, bias, 0, 0, width);
    d.r_bias = range(b, bias, 0, width, 2 * width);
  }
  d.h = sequence(&d, y, direction);
  d.before = before(b, d.h, h0);
  if (l->gates == 4) d.c0 = state(l, rg_back_input(b, 6), direction);
  d.g_y = sequence(&d, g_y, direction);
  if (d.g_y) d.g_y = masked(l, d.g_y);
  d.g_h = state(l, rg_back_gradient(b, 1), direction);
  if (!d.g_h) d.g_h = no_state(&d);
  if (l->gates == 4) d.g_c = state(l, rg_back_gradient(b, 2), direction);
  if (l->gates == 4 && !d.g_c) d.g_c = no_state(&d);
  return d;
}

static rg_value *scalar_of(rg_backward *b, rg_value *one) {
  return rg_back_squeeze(b, "Squeeze", one, &(int64_t){0}, 1);
}

/* Whether step t of row b runs, from the rows' lengths. */
static void mask_steps(layer *l) {
  rg_backward *b = l->b;
  const int64_t zero = 0, one = 1, two = 2;
  l->lengths = rg_back_op(b, "Cast", 1, rg_back_input(b, 4));
  rg_back_set_int(b, l->lengths, "to", RANGO_INT64);
  rg_value *steps = rg_back_op(b, "Shape", 1, rg_back_input(b, 0));
  rg_back_set_int(b, steps, "start", l->batch_first);
  rg_back_set_int(b, steps, "end", l->batch_first + 1);
  rg_value *times = rg_back_op(b, "Range", 3, scalar_of(b, rg_back_ints(b, &zero, 1)), scalar_of(b, steps),
                               scalar_of(b, rg_back_ints(b, &one, 1)));
  rg_value *runs = rg_back_op(b, "Less", 2, rg_back_squeeze(b, "Unsqueeze", times, &one, 1), l->lengths);
  l->mask = rg_back_op(b, "Cast", 1, rg_back_squeeze(b, "Unsqueeze", runs, &two, 1));
  rg_back_set_int(b, l->mask, "to", b->type);
  l->rest = one_minus(b, l->mask);
}

/* The node's Y, which it gets where it has none. */
static rg_value *all_states(rg_backward *b) {
  rg_value *y = b->node->outputs[0];
  rg_node *node = NULL;
  for (int i = 0; i < b->node->output_count && !y; i++)
    if (b->node->outputs[i]) node = b->node->outputs[i]->producer;
  if (y || b->status != RANGO_OK) return y;
  rg_back_fail(b, rg_graph_add_value(b->graph, b->name, &y));
  if (b->status == RANGO_OK) rg_node_set_output(node, 0, y);
  return y;
}

static void recurrent(rg_backward *b, rg_value *g) {
  const rg_fact *w = rg_back_fact(b, rg_back_input(b, 1)), *r = rg_back_fact(b, rg_back_input(b, 2));
  const char *direction = rg_node_string(b->node, "direction", "forward");
  layer l = {.b = b, .hidden = r->dims[2], .inputs = w->dims[2]};
  shares found = {{0}};
  l.gates = rg_node_is(b->node, "LSTM") ? 4 : rg_node_is(b->node, "GRU") ? 3 : 1;
  l.directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
  l.first_reverse = strcmp(direction, "reverse") == 0;
  l.batch_first = rg_node_int(b->node, "layout", 0) != 0;
  l.linear_before_reset = rg_node_int(b->node, "linear_before_reset", 0) != 0;
  (void)read_functions(b->node, l.directions, l.functions);
  if (rg_back_input(b, 4)) mask_steps(&l);
  rg_value *y = all_states(b);
  for (int64_t i = 0; i < l.directions; i++) {
    run d = open_run(&l, y, g, i);
    (l.gates == 4 ? lstm : l.gates == 3 ? gru : rnn)(&d);
    collect(&d, &found);
  }
  for (int i = 1; i < 8; i++)
    if (found.of[i]) rg_back_give(b, i, found.of[i]);
}

/* Weights of known sizes; no peepholes, no clipping, no coupled gates, and activations that have a derivative here. */
static bool supports(const rg_node *node, const rg_facts *facts, const bool *needed) {
  (void)needed;
  function functions[DIRECTIONS][FUNCTIONS];
  bool two = strcmp(rg_node_string(node, "direction", "forward"), "bidirectional") == 0;
  for (int input = 1; input <= 2; input++) {
    const rg_fact *fact = &facts->items[node->inputs[input]->id];
    for (int axis = 0; axis < 3; axis++)
      if (fact->rank != 3 || !rg_size_is_known(fact->dims[axis])) return false;
  }
  if (node->input_count > 7 && node->inputs[7]) return false;
  if (rg_node_float(node, "clip", 0) > 0 || rg_node_int(node, "input_forget", 0)) return false;
  return read_functions(node, two ? 2 : 1, functions);
}

static const rg_adjoint_rule rules[] = {
    {"LSTM", recurrent, supports},
    {"GRU", recurrent, supports},
    {"RNN", recurrent, supports},
};
RG_ADJOINT_EXPORT(recurrent, rules);
