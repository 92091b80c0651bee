/* What the adjoints of operators are written with. A rule gets the gradient of its node's output and gives each input
 * that needs one its share, as values of the graph being built.
 *
 * Errors stick: after the first one every call does nothing and gives NULL, so that rules read like formulas. */
#ifndef RG_ADJOINT_BACKWARD_H
#define RG_ADJOINT_BACKWARD_H

#include "adjoint/adjoint.h"
#include "ops/support.h"

/* A share of a gradient that is zero but for [begin, begin + size) of one axis. */
typedef struct rg_gradient_part {
  int value; /* its id */
  int axis;
  int64_t begin, size;
  rg_value *share;
} rg_gradient_part;

typedef struct rg_backward {
  rango_status status;
  rg_graph *graph;
  const rg_facts *facts; /* of the model that is differentiated */
  int known;             /* values below this id are that model's, and have facts */
  int version;           /* of the nodes that are made */
  const bool *needed;    /* [known]: depends on a wanted value, and is of a floating type */
  struct {
    rg_gradient_part *items;
    size_t count, capacity;
  } parts;              /* not yet in the sums */
  const int *uses;      /* [known]: how often the model reads it */
  rg_value **again;     /* [known]: computed once more; NULL: not */
  rg_value **gradients; /* [known]: sums so far; NULL: none */
  /* The node whose adjoint is being built: */
  const rg_node *node;
  rango_type type;  /* of its gradients */
  const char *name; /* of what is made */
  rg_node *before;  /* where nodes go; NULL: to the end */
} rg_backward;

typedef struct rg_adjoint_rule {
  const char *op; /* of the default domain */
  /* g: gradient of output 0; NULL where that has none. Without emit the derivative is zero everywhere. */
  void (*emit)(rg_backward *b, rg_value *g);
  /* Whether emit can serve this node; `needed` by value id, as in rg_backward. NULL: always. */
  bool (*supports)(const rg_node *node, const rg_facts *facts, const bool *needed);
} rg_adjoint_rule;

typedef struct rg_adjoint_rules {
  const rg_adjoint_rule *items;
  size_t count;
} rg_adjoint_rules;

#define RG_ADJOINT_FAMILIES(FAMILY)                                                                                    \
  FAMILY(arithmetic)                                                                                                   \
  FAMILY(activation)                                                                                                   \
  FAMILY(matmul)                                                                                                       \
  FAMILY(conv)                                                                                                         \
  FAMILY(pool)                                                                                                         \
  FAMILY(resize)                                                                                                       \
  FAMILY(norm)                                                                                                         \
  FAMILY(reduce)                                                                                                       \
  FAMILY(shape)                                                                                                        \
  FAMILY(slice)                                                                                                        \
  FAMILY(gather)                                                                                                       \
  FAMILY(recurrent)

#define RG_ADJOINT_DECLARE(family) extern const rg_adjoint_rules rg_adjoint_##family;
RG_ADJOINT_FAMILIES(RG_ADJOINT_DECLARE)
#undef RG_ADJOINT_DECLARE

/* At the end of a family's file. */
#define RG_ADJOINT_EXPORT(family, array)                                                                               \
  const rg_adjoint_rules rg_adjoint_##family = {(array), sizeof(array) / sizeof *(array)}

/* ---- the node ---- */

rg_value *rg_back_input(const rg_backward *b, int index);                 /* NULL: absent */
bool rg_back_wants(const rg_backward *b, int index);                      /* whether input `index` needs a gradient */
const rg_fact *rg_back_fact(const rg_backward *b, const rg_value *value); /* of the model's values alone */
/* A value of the model as formulas should read it. What comes from a value that is kept anyway by a few functions of
 * one element, and has no other reader (a spelled-out activation's parts), is computed again: that costs less than
 * keeping it, and leaves the model's own nodes to be run as one. */
rg_value *rg_back_value(rg_backward *b, rg_value *value);
int rg_back_rank(const rg_backward *b, int index);      /* of input `index` */
rg_value *rg_back_gradient(rg_backward *b, int output); /* NULL: none */
/* The elements of a small integer value, where they are known; at most RANGO_MAX_RANK. */
bool rg_known_ints(const rg_facts *facts, const rg_value *value, int64_t *out, int *count);
void rg_back_fail(rg_backward *b, rango_status status);

/* Adds `share`, of the input's shape, to its gradient. Nothing happens where it needs none. */
void rg_back_give(rg_backward *b, int index, rg_value *share);
/* The same for a share of output 0's shape, to which the input was broadcast: summed over what was stretched. */
void rg_back_give_broadcast(rg_backward *b, int index, rg_value *share);
/* ... of the shape dims[rank]. */
void rg_back_give_from(rg_backward *b, int index, rg_value *share, const int64_t *dims, int rank);

/* The same for a part of the input along an axis of known size. Parts that don't overlap are put together, which is
 * what makes a Split's adjoint, or that of several Slices, one Concat. */
void rg_back_give_part(rg_backward *b, int index, int axis, int64_t begin, int64_t size, rg_value *share);
void rg_back_settle(rg_backward *b, const rg_value *value); /* puts a value's parts into its sum */

/* ---- building ---- */

/* A node of one output: its value. Inputs: `count` rg_value pointers; NULL: absent. */
rg_value *rg_back_op(rg_backward *b, const char *op, int count, ...);
/* One more output of the node that made `value`, which nothing uses yet. */
rg_value *rg_back_more(rg_backward *b, rg_value *value);
void rg_back_set_int(rg_backward *b, rg_value *value, const char *name, int64_t number); /* of its producer */
void rg_back_set_float(rg_backward *b, rg_value *value, const char *name, double number);
void rg_back_set_string(rg_backward *b, rg_value *value, const char *name, const char *text);
void rg_back_set_ints(rg_backward *b, rg_value *value, const char *name, const int64_t *numbers, int count);

rg_value *rg_back_scalar(rg_backward *b, double number); /* of the gradients' type */
rg_value *rg_back_ints(rg_backward *b, const int64_t *numbers, int count);
rg_value *rg_back_filled(rg_backward *b, int rank, const int64_t *dims, double number);

static inline rg_value *rg_back_add(rg_backward *b, rg_value *x, rg_value *y) { return rg_back_op(b, "Add", 2, x, y); }
static inline rg_value *rg_back_sub(rg_backward *b, rg_value *x, rg_value *y) { return rg_back_op(b, "Sub", 2, x, y); }
static inline rg_value *rg_back_mul(rg_backward *b, rg_value *x, rg_value *y) { return rg_back_op(b, "Mul", 2, x, y); }
static inline rg_value *rg_back_div(rg_backward *b, rg_value *x, rg_value *y) { return rg_back_op(b, "Div", 2, x, y); }
rg_value *rg_back_scale(rg_backward *b, rg_value *x, double factor); /* x itself for factor 1 */
rg_value *rg_back_shift(rg_backward *b, rg_value *x, double offset);
/* 1 where x > 0, otherwise 0: in one pass that every layout has a kernel for. (x between 0 and 3e-39 gives less
 * than 1.)
 */
rg_value *rg_back_step(rg_backward *b, rg_value *x);
rg_value *rg_back_where(rg_backward *b, rg_value *condition, rg_value *yes, rg_value *no);

/* ReduceSum or ReduceMean. count 0: x itself. */
rg_value *rg_back_reduce(rg_backward *b, const char *op, rg_value *x, const int64_t *axes, int count, bool keep);
/* The sum over all axes but 1: [channels]. In two steps, for which there are kernels. */
rg_value *rg_back_channel_sum(rg_backward *b, rg_value *x, int rank);
rg_value *rg_back_transpose(rg_backward *b, rg_value *x, const int64_t *perm, int rank);
/* The last two axes of a value of that rank exchanged. */
rg_value *rg_back_turned(rg_backward *b, rg_value *x, int rank);
rg_value *rg_back_reshape(rg_backward *b, rg_value *x, const int64_t *dims, int rank);
rg_value *rg_back_squeeze(rg_backward *b, const char *op, rg_value *x, const int64_t *axes, int count);
/* x[begin:end:step] on these axes. */
rg_value *rg_back_slice(rg_backward *b, rg_value *x, const int64_t *begin, const int64_t *end, const int64_t *axes,
                        const int64_t *steps, int count);
/* `row` with `x` behind it along the axis, in one Concat that grows; row NULL: of x alone. */
rg_value *rg_back_append(rg_backward *b, rg_value *row, rg_value *x, int axis);
/* Shape of one of the model's values, computed where the value is made: it need not stay in memory for it. */
rg_value *rg_back_shape(rg_backward *b, rg_value *value);
/* `x` in the shape of one of the model's values: sizes that are known as a constant. */
rg_value *rg_back_reshape_like(rg_backward *b, rg_value *x, rg_value *value);
rg_value *rg_back_zeros_like(rg_backward *b, rg_value *value);

#endif
