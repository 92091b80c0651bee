/*
 * Operators: what each one means. One file a family holds its attribute checks, shape rule (infer) and portable
 * implementation (compute), and exports a table of rg_op.
 *
 * A family file that computes is compiled twice: as plain scalar C without auto-vectorisation (RG_OPS_SCALAR defined:
 * the reference of the tests and of the benchmark's `scalar` row), and once more for what the CPU backend has no kernel
 * for. Those that move elements are compiled once (ops/families.h). RG_OPS_TABLE names the table accordingly;
 * everything else in a family file is static. Helpers that families share are in ops/support.h and compiled once.
 *
 * Half precision: infer is generic over types. compute of an operator with RG_OP_FLOAT_ONLY sees float32 only: callers
 * (rg_op_compute) convert float16 and bfloat16 inputs and outputs around it.
 */
#ifndef RG_OPS_OP_H
#define RG_OPS_OP_H

#include "graph/graph.h"

/* Sets the thread's message to "node 'x' (Conv): <message>". */
void rg_node_error(const rg_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- what is known about a value before running: its fact ---- */
#define RG_KNOWN_MAX 1024 /* integer tensors up to so many elements are followed through inference */

typedef struct rg_fact {
  rg_kind kind;                 /* RG_KIND_NONE: absent, or nothing known */
  rango_type type;              /* RANGO_UNDEFINED: not known */
  int rank;                     /* -1: not known */
  int64_t dims[RANGO_MAX_RANK]; /* sizes: numbers or symbols */
  const int64_t *known;         /* integer or bool tensor's elements (sizes: numbers or symbols), or NULL */
  int64_t known_count;
  const rango_tensor *constant; /* the whole value, where it is constant (not for subgraph-local loops' inputs) */
  const struct rg_fact *inner;  /* of a sequence or optional */
} rg_fact;

bool rg_fact_is_concrete(const rg_fact *fact); /* a tensor whose type, rank and dims are all known numbers */
rango_status rg_fact_shape(const rg_fact *fact, rg_shape *out); /* RANGO_ERROR_INTERNAL unless concrete */
void rg_fact_set(rg_fact *fact, rango_type type, int rank,
                 const int64_t *dims); /* rank -1: unknown; dims may be NULL */
void rg_fact_from_tensor(rg_fact *fact,
                         const rango_tensor *tensor); /* sets constant; known comes with rg_infer_known */

/* ---- infer ---- */
typedef struct rg_infer {
  const rg_node *node;
  int input_count, output_count;
  const rg_fact *const *inputs; /* [input_count]; NULL: absent */
  rg_fact *const *outputs;      /* [output_count]; NULL: absent. Zeroed with rank -1: fill what can be said */
  rg_arena *arena;              /* for `known` arrays and inner facts: lives as long as the facts */
  int64_t next_symbol;          /* see rg_infer_new_symbol */
  void *host;
  /* Infers a subgraph whose inputs have these facts (a missing or NULL one: as declared). *outputs becomes an array of
   * body->outputs.count facts in the arena. May be called again with other inputs. */
  rango_status (*subgraph)(struct rg_infer *infer, const rg_graph *body, const rg_fact *const *inputs,
                           size_t input_count, rg_fact **outputs);
} rg_infer;

/* Fails as every shape rule fails: "node 'x' (Conv): <message>". */
#define rg_infer_fail(infer, ...) rg_status((rg_node_error((infer)->node, __VA_ARGS__), RANGO_ERROR_FORMAT))
/* A size that nothing is known about yet, different from all others. */
int64_t rg_infer_new_symbol(rg_infer *infer);
/* Elements of a small integer or bool input (constant or known), in the arena; NULL when they are not known. */
const int64_t *rg_infer_known(rg_infer *infer, int input, int64_t *count);
rango_status rg_infer_set_known(rg_infer *infer, int output, const int64_t *values, int64_t count); /* copied */

/* ---- compute ---- */
typedef struct rg_exec rg_exec;
struct rg_exec {
  const rg_node *node;
  int input_count, output_count;
  const rg_val *const *inputs; /* [input_count]; NULL: absent */
  void *state;                 /* made when the node was prepared (cpu/cpu.h); NULL for portable ones */
  rango_threads *threads;      /* NULL: one thread */
  void *host;
  /* The host's services; call the wrappers below. */
  rango_status (*output)(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out);
  rango_status (*output_val)(rg_exec *exec, int index, rg_val **out);
  rango_status (*scratch)(rg_exec *exec, size_t bytes, void **out);
  rango_status (*subgraph)(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                           rg_val *outputs, size_t output_count);
};

const rango_tensor *rg_exec_input(const rg_exec *exec, int index); /* NULL when absent, or no tensor */
bool rg_exec_wants(const rg_exec *exec, int index);                /* whether output `index` is present */
/* The tensor to write output `index` to, uninitialised, row-major. Absent outputs give *out = NULL. */
rango_status rg_exec_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out);
/* For sequences and for passing a value on: fill (*out); it is cleared by the host. */
rango_status rg_exec_output_val(rg_exec *exec, int index, rg_val **out);
/* Memory until compute returns, aligned to RG_ALIGNMENT; several calls give several blocks. */
rango_status rg_exec_scratch(rg_exec *exec, size_t bytes, void **out);
/* Runs a body graph of the node. outputs[output_count] are the caller's, zeroed; clear each with rg_val_clear. */
rango_status rg_exec_subgraph(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                              rg_val *outputs, size_t output_count);
#define rg_exec_fail(exec, status, ...) rg_status((rg_node_error((exec)->node, __VA_ARGS__), (status)))

/* ---- the table ---- */
enum {
  RG_OP_VIEW = 1 << 0,        /* output 0 is input 0's elements in the same order under another shape */
  RG_OP_ELEMENTWISE = 1 << 1, /* output 0's element i depends on its inputs' (broadcast) element i alone */
  RG_OP_FLOAT_ONLY = 1 << 2,  /* compute wants float32 in place of float16 and bfloat16 */
  RG_OP_RANDOM = 1 << 3,      /* not foldable */
  RG_OP_SUBGRAPH = 1 << 4,    /* has bodies */
  RG_OP_PRIVATE = 1 << 5,     /* of RG_PRIVATE_DOMAIN */
  RG_OP_MOVE = 1 << 6 /* compute moves elements unread: strings reach it as complex64 (ids), 4-bit types and 2-bit
                         types as uint8; rg_op_compute converts around it */
};

typedef struct rg_op {
  const char *domain, *name; /* "" is ai.onnx */
  int since, until;          /* opset versions this entry serves, inclusive; `until` RG_OPSET_MAX for the newest */
  /* The first `min` must be present (private operators: are counted alone); max -1: no bound. Trailing absent ones are
   * allowed. */
  int min_inputs, max_inputs, min_outputs, max_outputs;
  unsigned flags;
  rango_status (*check)(const rg_node *node); /* attributes; NULL: none to check */
  rango_status (*infer)(rg_infer *infer);
  rango_status (*compute)(rg_exec *exec);
  int64_t (*macs)(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs); /* NULL: none; -1:
                                                                                                         unknown */
} rg_op;

typedef struct rg_op_table {
  const rg_op *ops;
  size_t count;
} rg_op_table;

#ifdef RG_OPS_SCALAR
#define RG_OPS_TABLE(family) rg_ops_##family##_scalar
#else
#define RG_OPS_TABLE(family) rg_ops_##family
#endif
/* At the end of a family file: RG_OPS_EXPORT(conv, table) defines what ops/registry.c lists. */
#define RG_OPS_EXPORT(family, array)                                                                                   \
  extern const rg_op_table RG_OPS_TABLE(family);                                                                       \
  const rg_op_table RG_OPS_TABLE(family) = {(array), sizeof(array) / sizeof *(array)}

/* Finds the entry that serves a domain, name and opset version, or NULL. The scalar twin has the same place in the
 * other build: rg_op_scalar(op). */
const rg_op *rg_op_find(const char *domain, const char *name, int version);
const rg_op *rg_op_scalar(const rg_op *op);
/* Sets `definition` of every node of the model, checks arity and attributes; nodes without a definition are left alone
 * unless `strict`, when the first is named in RANGO_ERROR_UNSUPPORTED. Function calls count as known. */
rango_status rg_ops_resolve(rango_model *model, bool strict);

/* Runs op->compute with the conversions that RG_OP_FLOAT_ONLY and RG_OP_MOVE ask for: converted inputs are of the
 * stand-in type, and outputs that compute makes of that type are converted back. */
rango_status rg_op_compute(const rg_op *op, rg_exec *exec);

/* Runs one node outside a session (constant folding, tests): outputs[] are zeroed values that the caller clears.
 * Subgraphs are run the same way. `scalar` chooses the reference build. */
rango_status rg_op_evaluate(const rg_node *node, bool scalar, const rg_val *const *inputs, rg_val *outputs);

/* ---- inference over a graph ---- */
/* Facts of all values, by value id. */
typedef struct rg_facts {
  rg_arena *arena;
  rg_fact *items; /* [model->value_count] */
  int64_t next_symbol;
} rg_facts;

/* Infers the model's main graph (subgraphs too). `inputs[i]` overrides what input i is declared as (counted as in
 * rango_model_input: without initializers; RANGO_ERROR_ARGUMENT when it contradicts the declaration); NULL array: the
 * declarations, with `bindings` applied to their symbols. A contradiction is an error that names the node. Sizes that
 * inference leaves open become symbols of their own. */
rango_status rg_facts_create(const rango_model *model, const rg_fact *inputs, size_t input_count,
                             const rango_dim_binding *bindings, size_t binding_count, rg_facts **out);
/* The same for one graph (a subgraph at run time): facts of outer values come from `outer` (may be NULL). */
rango_status rg_facts_create_graph(const rg_graph *graph, const rg_fact *inputs, size_t input_count,
                                   const rg_facts *outer, rg_facts **out);
void rg_facts_free(rg_facts *facts);
const rg_fact *rg_facts_of(const rg_facts *facts, const rg_value *value);

#endif
