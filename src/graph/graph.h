/*
 * The graph: what a model is between reading and running. One type for the file's operators, for the canonical form and
 * for the session's lowered copy (operators of RG_PRIVATE_DOMAIN).
 *
 * Memory: nodes, values, names and attributes live in their model's arena and go with it; removed ones are unlinked
 * only. Tensors hold references to buffers, so copies of a model share weights.
 *
 * Sizes: a dimension, or a small known integer, is an int64_t: a number, or a symbol (rg_size_is_known tells).
 */
#ifndef RG_GRAPH_GRAPH_H
#define RG_GRAPH_GRAPH_H

#include "tensor/tensor.h"

#define RG_PRIVATE_DOMAIN  "rango" /* fused operators of passes/lower; never written to a file */
#define RG_GRAPH_MAX_DEPTH 64      /* of subgraphs in subgraphs */
#define RG_OPSET_MIN       1
#define RG_OPSET_MAX       28

/* ---- sizes ---- */
#define RG_SIZE_UNKNOWN    (INT64_MIN)            /* nothing known */
#define RG_SIZE_SYMBOL(id) (INT64_MIN + 1 + (id)) /* equal ids are equal sizes; id in [0, 2^31) */
static inline bool rg_size_is_known(int64_t size) { return size >= INT64_MIN / 2; }
static inline bool rg_size_is_symbol(int64_t size) { return !rg_size_is_known(size) && size != RG_SIZE_UNKNOWN; }
static inline int64_t rg_size_symbol_id(int64_t size) { return size - INT64_MIN - 1; }

typedef struct rg_graph rg_graph;
typedef struct rg_node rg_node;
typedef struct rg_value rg_value;
typedef struct rg_attr rg_attr;
struct rg_op; /* ops/op.h */

/* Bytes kept as they were read. */
typedef struct rg_bytes {
  const uint8_t *data;
  size_t bytes;
} rg_bytes;

/* ---- types of values ---- */
typedef struct rg_type_info {
  rg_kind kind;
  rango_type type;                  /* tensor: elements. Map: keys */
  int rank;                         /* tensor: -1 unknown */
  const int64_t *dims;              /* [rank] sizes */
  const struct rg_type_info *inner; /* sequence, optional: element. Map: values */
  rg_bytes raw;                     /* the TypeProto as read; re-emitted while `changed` is false */
  bool changed;
} rg_type_info;

/* ---- values ---- */
typedef struct rg_use {
  rg_node *node;
  int index; /* which of the node's inputs */
} rg_use;

struct rg_value {
  const char *name; /* unique in the model's scope rules; "" only for none */
  int id;           /* dense over the whole model, subgraphs included: index of side tables */
  rg_graph *graph;
  rg_node *producer; /* NULL: graph input, initializer */
  int producer_index;
  rango_tensor *constant; /* initializer, or NULL. Constant nodes keep theirs in the attribute: rg_value_constant */
  bool is_input;          /* listed among its graph's inputs (old files list initializers too) */
  int output_uses;        /* how often it is listed among graph outputs */
  rg_type_info type;      /* declared in the file, or set by a pass; kind RG_KIND_NONE: not declared */
  rg_layout layout;       /* of the lowered copy */
  rg_bytes extra;         /* unknown fields of its ValueInfoProto, doc string included */
  rg_bytes tensor_extra;  /* the same of its initializer's TensorProto */
  rg_bytes sparse;        /* the SparseTensorProto that `constant` was read from: written in its place */
  struct {
    rg_use *items;
    size_t count, capacity;
  } uses; /* subgraphs' nodes included */
};

/* ---- attributes ---- */
/* Numbered as AttributeProto.AttributeType. */
typedef enum rg_attr_kind {
  RG_ATTR_UNDEFINED = 0,
  RG_ATTR_FLOAT = 1,
  RG_ATTR_INT = 2,
  RG_ATTR_STRING = 3,
  RG_ATTR_TENSOR = 4,
  RG_ATTR_GRAPH = 5,
  RG_ATTR_FLOATS = 6,
  RG_ATTR_INTS = 7,
  RG_ATTR_STRINGS = 8,
  RG_ATTR_TENSORS = 9,
  RG_ATTR_GRAPHS = 10,
  RG_ATTR_SPARSE_TENSOR = 11,
  RG_ATTR_SPARSE_TENSORS = 12,
  RG_ATTR_TYPE = 13,
  RG_ATTR_TYPES = 14
} rg_attr_kind;

struct rg_attr {
  const char *name;
  rg_attr_kind kind;
  rg_attr *next;
  const char *reference; /* in a function's body: the function's attribute it stands for; else NULL */
  size_t count;          /* of the lists */
  union {
    float f;
    int64_t i;
    rg_string s;
    rango_tensor *tensor;
    rg_graph *graph;
    const float *floats;
    const int64_t *ints;
    const rg_string *strings;
    rango_tensor **tensors;
    rg_graph **graphs;
  };
  rg_bytes raw;                 /* sparse tensors, types and unknown kinds: the AttributeProto as read */
  const rg_bytes *tensor_extra; /* tensors: [count, or 1] name, doc string and unknown fields of each; may be NULL */
  rg_bytes extra;
};

/* ---- nodes ---- */
struct rg_node {
  const char *op, *domain, *name; /* domain "" is ai.onnx; name may be "" */
  const char *overload;           /* of a function, usually "" */
  int version;                    /* of its domain's opset, where it was read or made */
  const struct rg_op *definition; /* set by rg_ops_resolve; NULL: unknown operator */
  rg_graph *graph;
  rg_node *previous, *next; /* in topological order */
  int input_count, output_count;
  rg_value **inputs;  /* [input_count]; NULL: absent */
  rg_value **outputs; /* [output_count]; NULL: absent */
  rg_attr *attributes;
  int id;   /* dense over the whole model */
  int mark; /* scratch of one walk over one graph (sorting) */
  rg_bytes extra;
};

/* ---- graphs and models ---- */
typedef struct rg_value_list {
  rg_value **items;
  size_t count, capacity;
} rg_value_list;

struct rg_graph {
  rango_model *model;
  rg_node *owner; /* of a subgraph: the node whose attribute it is */
  const char *name;
  rg_node *first, *last;
  rg_value_list inputs, outputs;
  rg_value_list values; /* every value made in this graph, removed ones too */
  rg_bytes extra;       /* unknown fields, sparse initializers, quantization annotations, metadata, doc string */
};

typedef struct rg_opset {
  const char *domain;
  int64_t version;
} rg_opset;

typedef struct rg_property {
  const char *key, *value;
} rg_property;

typedef struct rg_function {
  const char *name, *domain, *overload;
  rg_graph *body; /* inputs and outputs are the function's */
  const char **attributes;
  size_t attribute_count;
  rg_attr *defaults; /* attributes with default values */
  rg_opset *opsets;
  size_t opset_count;
  rg_bytes extra;
} rg_function;

struct rango_model {
  _Atomic int references;
  rg_arena *arena;
  const char *path;   /* for messages: the file, or "memory" */
  const char *folder; /* of external data */
  int64_t ir_version;
  const char *producer_name, *producer_version;
  rg_opset *opsets;
  size_t opset_count;
  rg_property *properties;
  size_t property_count;
  rg_function *functions;
  size_t function_count;
  rg_graph *graph;
  rg_bytes extra; /* unknown fields, training info, model version, domain, doc string */
  int value_count, node_count;
  struct {
    const char **items;
    size_t count, capacity;
  } symbols; /* names of symbolic sizes, by id; NULL: made up by inference */
  struct {
    rango_tensor **items;
    size_t count, capacity;
  } tensors; /* every tensor of the model: cleared with it */
  uint64_t file_bytes;
  struct rg_names *names;       /* who has which name (graph/names.h) */
  int64_t suffixes;             /* handed out to make names unique */
  struct rg_facts **kept_facts; /* while passes run in a row (passes/row.h): what the last one knew, or NULL */
  void *_Atomic infos;          /* rango_model_input's answers (graph/info.c), made when first asked for */
  void *_Atomic runtime;        /* the engine's: lowered programs and packed weights (engine/engine.h) */
  void (*runtime_free)(void *runtime);
};

/* ---- building. Every one may fail for memory only, if nothing else is said. ---- */
rango_status rg_model_create(rango_model **out); /* empty, with an empty main graph and its arena; one reference */
rango_model *rg_model_retain(rango_model *model);
void rg_model_release(rango_model *model);
/* Deep copy of graphs, sharing tensors' buffers. Value and node ids stay the same. */
rango_status rg_model_copy(const rango_model *from, rango_model **out);
int64_t rg_model_opset(const rango_model *model, const char *domain); /* -1: not imported; "ai.onnx" is "" */
rango_status rg_model_symbol(rango_model *model, const char *name, int64_t *out); /* size of that name, made if new */

/* A tensor of the model's: takes over *tensor's content (the struct is copied, the caller's is zeroed; cleared on
 * failure, too). For attributes; values with a constant are made by rg_graph_add_constant. */
rango_status rg_model_add_tensor(rango_model *model, rango_tensor *tensor, rango_tensor **out);

/* `owner`: the node whose attribute it will be, NULL for a function's body. RANGO_ERROR_LIMIT when nested too deep. */
rango_status rg_graph_create(rango_model *model, rg_node *owner, rg_graph **out);
/* A new value; `name` is made unique by a suffix when taken (or made up when NULL). */
rango_status rg_graph_add_value(rg_graph *graph, const char *name, rg_value **out);
/* The same under exactly this name (in the model's arena), in constant time: readers check uniqueness themselves. */
rango_status rg_graph_add_named_value(rg_graph *graph, const char *name, rg_value **out);
/* A value with a constant; the model takes over *tensor's content (the struct is copied, the caller's is zeroed). */
rango_status rg_graph_add_constant(rg_graph *graph, const char *name, rango_tensor *tensor, rg_value **out);
/* A node with absent inputs and outputs, before `before` (NULL: at the end). op and domain are copied. */
rango_status rg_graph_add_node(rg_graph *graph, rg_node *before, const char *op, const char *domain, int version,
                               int input_count, int output_count, rg_node **out);
rango_status rg_graph_add_input(rg_graph *graph, rg_value *value);
rango_status rg_graph_add_output(rg_graph *graph, rg_value *value);
void rg_graph_set_output(rg_graph *graph, size_t index, rg_value *value);
rg_value *rg_graph_find_value(const rg_graph *graph, const char *name); /* this graph, then its outer ones; or NULL */

rango_status rg_node_set_input(rg_node *node, int index, rg_value *value); /* keeps uses; NULL: absent */
rango_status rg_node_set_input_count(rg_node *node, int count);            /* new ones are absent */
void rg_node_set_output(rg_node *node, int index, rg_value *value);        /* value had no producer */
void rg_node_remove(rg_node *node);                /* unlinks it and its uses; its outputs lose their producer */
void rg_node_move(rg_node *node, rg_node *before); /* within its graph; NULL: to the end */
rango_status rg_value_replace(rg_value *old, rg_value *with); /* all uses and graph outputs of `old`, any graph */
bool rg_value_is_used(const rg_value *value);                 /* by a node or as an output */
/* The tensor of an initializer or of a Constant node, or NULL when the value isn't constant. */
const rango_tensor *rg_value_constant(const rg_value *value);
/* Large float32 weights that were read in place from a file lie at any address. They are read through memcpy alone
 * (packing), or the model gets aligned copies first: of every such constant for which keep() is false (NULL: of all).
 */
#define RG_UNALIGNED_BYTES 65536 /* smaller ones were copied when they were read */
bool rg_tensor_is_aligned(const rango_tensor *tensor);
rango_status rg_model_align_constants(rango_model *model, bool (*keep)(const rg_value *value));
/* Puts the nodes (of the graph, not its subgraphs) in topological order; RANGO_ERROR_FORMAT on a cycle. */
rango_status rg_graph_sort(rg_graph *graph);

const rg_attr *rg_node_attr(const rg_node *node, const char *name); /* or NULL */
int64_t rg_node_int(const rg_node *node, const char *name, int64_t fallback);
float rg_node_float(const rg_node *node, const char *name, float fallback);
const char *rg_node_string(const rg_node *node, const char *name, const char *fallback);
/* The list's elements, or NULL and 0. */
const int64_t *rg_node_ints(const rg_node *node, const char *name, size_t *count);
rg_graph *rg_node_graph(const rg_node *node, const char *name); /* or NULL */
bool rg_node_is(const rg_node *node, const char *op);           /* operator `op` of the default domain */
rango_status rg_node_set_int(rg_node *node, const char *name, int64_t value);
rango_status rg_node_set_float(rg_node *node, const char *name, float value);
rango_status rg_node_set_string(rg_node *node, const char *name, const char *value);
rango_status rg_node_set_ints(rg_node *node, const char *name, const int64_t *values, size_t count);
rango_status rg_node_set_tensor(rg_node *node, const char *name, rango_tensor *tensor); /* takes over its content */
rango_status rg_node_set_graph(rg_node *node, const char *name, rg_graph *graph);       /* made with this owner */
rango_status rg_node_add_attr(rg_node *node, const char *name, rg_attr **out); /* a new one of no kind, at the end */
rango_status rg_node_copy_attributes(rg_node *to, const rg_node *from); /* same model; subgraphs can't be copied */
void rg_node_remove_attr(rg_node *node, const char *name);

/* What a node is called in messages: "node 'conv1' (Conv)". Static per thread, two live at a time. */
const char *rg_node_text(const rg_node *node);

/* Calls visit for every graph of the model: main, subgraphs (outer first), and function bodies when asked. Stops at the
 * first failure and returns it. */
rango_status rg_model_visit_graphs(rango_model *model, bool functions,
                                   rango_status (*visit)(rg_graph *graph, void *argument), void *argument);

#endif
