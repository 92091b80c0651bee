/* What a session holds, and how its parts work together: plans (plan.c) are kept by runners (runner.c), one a graph,
 * and executed by run.c. */
#ifndef RG_ENGINE_SESSION_H
#define RG_ENGINE_SESSION_H

#include "engine/engine.h"
#include "engine/memory.h"
#include "gpu/gpu.h"

#define RG_MAX_DEPTH      64 /* of subgraphs inside subgraphs while running */
#define RG_KEY_VALUES_MAX 64 /* elements of an integer input that a signature may hold */

/* librango-gpu, or RANGO_ERROR_DEVICE and why it can't be used. */
rango_status rg_gpu_library_find(const rg_gpu_library **out);

/* ---- signatures ---- */

/* What a plan was made for: one value's kind, type and shape, and where inference needed them, its elements. */
typedef struct rg_key {
  rg_kind kind;
  rango_type type;
  rg_shape shape;
  const int64_t *elements; /* NULL: any */
} rg_key;

bool rg_key_wants_elements(const rg_val *val); /* a small tensor of integers or booleans */
rango_status rg_key_set(rg_key *key, rg_arena *arena, const rg_val *val, bool elements); /* val NULL: absent */
bool rg_key_matches(const rg_key *key, const rg_val *val);
/* The fact that a key states; `known` points into the key. */
void rg_key_fact(const rg_key *key, rg_fact *fact);

/* ---- plans ---- */

typedef enum rg_place {
  RG_PLACE_POOL,     /* memory comes when the value is made: its size or its making is not known before */
  RG_PLACE_CONSTANT, /* the model's */
  RG_PLACE_OUTER,    /* captured from an outer graph */
  RG_PLACE_INPUT,    /* the caller's tensor */
  RG_PLACE_OUTPUT,   /* written directly where the caller wants it */
  RG_PLACE_ARENA
} rg_place;

/* One value of the graph. */
typedef struct rg_slot {
  const rg_value *value;
  rg_val val;
  rg_place place;
  bool planned;         /* type and shape were known when the plan was made: `val` always has them */
  bool view;            /* shares another slot's memory: takes its data alone */
  int index;            /* of the graph's input or output, or of the captured value, by `place` */
  int output;           /* which output of the graph it is, or -1 */
  size_t offset;        /* RG_PLACE_ARENA */
  size_t device_offset; /* in the device's arena, where a GPU step touches it */
  rg_pool_block *block; /* RG_PLACE_POOL: what `val` lies in, or NULL when it owns its memory */
} rg_slot;

/* What rg_cpu_prepare made. */
typedef struct rg_kernel {
  rango_status (*run)(rg_exec *exec); /* NULL: portable */
  void *state;
  size_t scratch_bytes;
  rg_packed *packed[8];
  int packed_count;
  bool in_place;
} rg_kernel;

/* A kernel chosen while running, for a node whose shapes were not known before, kept for the next time. */
typedef struct rg_late {
  rg_arena *arena; /* keys, facts and the kernel's state; NULL: nothing prepared yet */
  rg_key *keys;    /* [inputs] */
  rg_kernel kernel;
  int64_t macs;
} rg_late;

typedef struct rg_step {
  const rg_node *node;
  const rg_op *op;       /* of the build that the device runs */
  const rg_val **inputs; /* [node->input_count]; NULL: absent */
  rg_slot **outputs;     /* [node->output_count]; NULL: absent */
  rg_kernel kernel;
  rg_late *late;         /* NULL: everything is known */
  size_t scratch_offset; /* in the arena: kernel.scratch_bytes */
  bool view;             /* passes input 0's memory on, which is of the pool */
  rg_slot **released;    /* [released_count] slots of the pool whose last use this is */
  int released_count;
  int64_t macs;
  rg_gpu_prepare *gpu; /* NULL: the CPU runs it */
} rg_step;

/* ---- segments: neighbouring steps that a GPU runs as one list of commands (gpu_plan.c, gpu_run.c) ---- */

/* Memory that a segment reads or leaves behind, whole: the slots that share it are copied once. */
typedef struct rg_transfer {
  const rg_slot *slot; /* the first of them */
  size_t offset;       /* in the device's arena */
  size_t staged;       /* in the staging buffer */
  size_t bytes;        /* on the device */
} rg_transfer;

typedef struct rg_transfers {
  rg_transfer *items;
  int count;
  rg_gpu_buffer *staging; /* NULL: the arena itself is mapped */
} rg_transfers;

typedef struct rg_gpu_segment {
  int first, last; /* steps */
  rg_transfers uploads, downloads;
  rg_gpu_list *list;
  double *times; /* [last - first + 2] milliseconds, where steps are timed */
} rg_gpu_segment;

/* A plan's part on the device. */
typedef struct rg_gpu_plan {
  const rg_gpu_library *library;
  rg_gpu_device *device;
  bool half;
  rg_gpu_segment *segments;
  int segment_count;
  rg_gpu_buffer *arena;
  size_t arena_bytes;
} rg_gpu_plan;

typedef struct rg_plan {
  rg_arena *memory; /* everything below */
  const rg_graph *graph;
  rg_key *keys; /* [inputs and captures] */
  size_t key_count;
  rg_slot *slots; /* [slot_count] */
  int slot_count;
  int *slot_of; /* [model->value_count]: by value id, -1 none */
  rg_step *steps;
  int step_count;
  rg_slot **bound; /* [bound_count]: slots that every run points elsewhere */
  int bound_count;
  rg_val *moved; /* [most outputs of a node]: what the running step hands over whole */
  void *base;    /* of the arena that the slots point into */
  size_t arena_bytes;
  rg_gpu_plan *gpu;   /* NULL: nothing runs on a GPU */
  int64_t piece_rows; /* of the main graph's: how many rows of the batch run at a time; 0: not decided (batch.c) */
  uint64_t used_at;
} rg_plan;

/* Makes the plan of a graph for values like `values` (inputs, then captures). `by_value[i]`: the signature holds value
 * i's elements. */
rango_status rg_plan_create(rango_session *session, const rg_graph *graph, const rg_value_list *captures,
                            const rg_val *const *values, const bool *by_value, rg_plan **out);
void rg_plan_free(rg_plan *plan);
/* Facts of all values of the graph for a signature (keys of inputs, then captures). */
rango_status rg_plan_facts(rango_session *session, const rg_graph *graph, const rg_value_list *captures,
                           const rg_key *keys, rg_facts **out);
/* How many values of the graph have sizes that inference leaves open for such values. */
rango_status rg_plan_count_open(rango_session *session, const rg_graph *graph, const rg_value_list *captures,
                                const rg_val *const *values, const bool *by_value, int *open);
/* Asks the CPU backend for a kernel. Facts are concrete. */
rango_status rg_kernel_prepare(rango_session *session, const rg_node *node, const rg_fact *const *inputs,
                               const rg_fact *const *outputs, rg_arena *arena, rg_kernel *kernel);
void rg_kernel_clear(rg_kernel *kernel);

/* Bytes of a tensor of the plan on the device. */
static inline size_t rg_gpu_plan_bytes(const rg_gpu_plan *gpu, const rango_tensor *tensor) {
  return gpu->half && tensor->type == RANGO_FLOAT32 ? tensor->bytes / 2 : tensor->bytes;
}
/* Tasks for a node whose facts are concrete; *out NULL where the session has no GPU, or its GPU no shader. */
rango_status rg_gpu_step_prepare(rango_session *session, const rg_node *node, const rg_fact *const *inputs,
                                 const rg_fact *const *outputs, rg_arena *arena, rg_gpu_prepare **out);
/* Runs the segment that begins at step `first`, and says where it ends. */
rango_status rg_gpu_segment_run(rango_session *session, rg_plan *plan, int first, int *last);
void rg_gpu_plan_close(rg_gpu_plan *gpu); /* what the first run made, if there was one */
void rg_gpu_plan_free(rg_plan *plan);

/* ---- runners: one a graph, with its plans ---- */

typedef struct rg_runner {
  const rg_graph *graph;
  rg_value_list captures; /* values of outer graphs that it uses, constants aside */
  const rg_val **values;  /* [inputs and captures] of the run at hand */
  bool *by_value;
  int value_plans; /* plans made for particular elements: too many, and elements are not looked at any more */
  struct {
    rg_plan **items;
    size_t count, capacity;
  } plans;
} rg_runner;

rango_status rg_runner_create(const rg_graph *graph, rg_runner **out);
void rg_runner_free(rg_runner *runner);
/* The plan for runner->values: a kept one, or a new one in place of the least recently used. */
rango_status rg_runner_plan(rango_session *session, rg_runner *runner, rg_plan **out);
/* Collects values that `node`'s subgraphs take from outside of them, each once. Constants aside. */
rango_status rg_node_captures(const rg_node *node, rg_value_list *out);

/* ---- running ---- */

/* Tells the profile and on_node of a step that began at `begin` (rg_profile_clock) and is done. */
void rg_report_step(rango_session *session, const rg_step *step, const char *where, double begin, double milliseconds,
                    int64_t macs);

/* A graph being executed. */
typedef struct rg_frame {
  const struct rg_frame *parent; /* the graph whose node runs this one; NULL: the main graph */
  int depth;
  rg_runner *runner;
  rg_plan *plan;
} rg_frame;

/* Runs a graph. inputs[i] belongs to the graph's input i. outputs[i]: kind RG_KIND_NONE, and it receives a value of the
 * caller's, or a tensor to write to. */
rango_status rg_run_graph(rango_session *session, const rg_frame *parent, rg_runner *runner,
                          const rg_val *const *inputs, rg_val *outputs);
/* The same of the main graph, by a plan that was found for session->main->values. */
rango_status rg_run_main(rango_session *session, rg_plan *plan, rg_val *outputs);
/* Output tensors of a plan: the caller's are checked; others are made where a step writes them directly, or `all`,
 * whose shapes the plan then has to know. */
rango_status rg_run_open_outputs(const rg_plan *plan, bool all, rg_val *outputs);
/* A step whose shapes are known only now: finds its kernel (step->late). */
rango_status rg_late_prepare(rango_session *session, rg_step *step);
void rg_late_clear(rg_late *late);

/* Runs op->compute, which knows row-major tensors alone, on whatever layouts its values have. */
rango_status rg_portable_run(const rg_op *op, rg_exec *exec);
/* Copies elements into another tensor of the same type and shape, whose layout may differ. */
rango_status rg_tensor_transfer(const rango_tensor *from, rango_tensor *to);
bool rg_node_is_layout(const rg_node *node); /* rango.Layout */

/* Runs the main graph on session->inputs, in pieces of the batch where that pays. */
rango_status rg_batch_run(rango_session *session);

/* ---- profile ---- */

typedef struct rg_profile rg_profile;
rango_status rg_profile_create(const rango_model *program, rg_profile **out);
void rg_profile_free(rg_profile *profile);
double rg_profile_clock(void);                    /* milliseconds */
const char *rg_profile_name(const rg_node *node); /* its own, or its first output's; "" for neither */
void rg_profile_add(rg_profile *profile, const rg_node *node, double milliseconds, int64_t macs, const char *where);

/* ---- the session ---- */

typedef struct rg_chunk {
  void *data;
  size_t bytes;
} rg_chunk;

struct rango_session {
  rango_model *model; /* as loaded: names and declarations */
  const rg_program *program;
  const rg_kernels *kernels; /* NULL: the reference */
  rg_packed_cache *packed;
  const rg_gpu_library *gpu; /* NULL: the CPU alone */
  rg_gpu_device *device;
  rg_gpu_weights *device_weights;
  bool half;
  rango_threads *threads; /* NULL: one thread */
  bool owns_threads;
  int max_plans;
  rg_runner *main;
  struct {
    rg_runner **items;
    size_t count, capacity;
  } bodies;                      /* runners of subgraphs */
  rg_chunk arenas[RG_MAX_DEPTH]; /* by depth: at most one graph of a depth runs at a time */
  rg_pool *pool;
  struct {
    rg_chunk *items;
    size_t count, capacity;
  } scratch; /* of portable operators: block i serves the i-th request that is open */
  size_t scratch_open;
  rg_val *inputs, *outputs; /* [inputs], [outputs] of the main graph, filled by each run */
  const rg_val **input_list;
  rg_val *piece_inputs, *piece_outputs; /* the same of a piece of the batch */
  const rg_val **piece_list;
  uint64_t clock;              /* counts plans' uses */
  rg_profile *profile;         /* NULL: not wanted */
  rango_node_function on_node; /* or NULL */
  void *on_node_user;
  double made_at; /* rg_profile_clock, for on_node */
  char where[32]; /* "cpu avx512" */
};

#endif
