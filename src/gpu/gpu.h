/*
 * GPUs: for a node with known shapes, says which shaders run it on which operands. The engine places the operands,
 * turns the tasks of neighbouring nodes into one list of commands (record.c) and runs it.
 *
 * This room is a library of its own, librango-gpu: librango opens it when a session asks for a GPU, so that devices
 * without one don't carry it. rg_gpu_library is all that librango knows of it.
 */
#ifndef RG_GPU_GPU_H
#define RG_GPU_GPU_H

#include "gpu/backend.h"
#include "ops/op.h"

/* ---- weights: packed once a (weight, form) and device, counted by reference, shared by a model's sessions ---- */

typedef struct rg_gpu_weights rg_gpu_weights; /* those of one model on one device */
typedef struct rg_gpu_weight rg_gpu_weight;

typedef rango_status (*rg_gpu_pack)(void *to, const rango_tensor *weight, const void *argument);

/* ---- preparing a node ---- */

#define RG_GPU_TASKS_MAX 32 /* of a node */

typedef enum rg_gpu_operand_kind {
  RG_GPU_NONE,    /* bound to some buffer, never touched */
  RG_GPU_INPUT,   /* the node's input `index` */
  RG_GPU_OUTPUT,  /* the node's output `index` */
  RG_GPU_SCRATCH, /* of the node alone, from `offset` */
  RG_GPU_WEIGHT
} rg_gpu_operand_kind;

typedef struct rg_gpu_operand {
  rg_gpu_operand_kind kind;
  int index;
  size_t offset, bytes; /* of scratch */
  const rg_gpu_weight *weight;
  bool written;
} rg_gpu_operand;

/* One dispatch; tasks of a node run one after another where one reads what another writes, else side by side. */
typedef struct rg_gpu_task {
  int shader;
  uint32_t groups[3];
  rg_gpu_operand operands[RG_GPU_BINDINGS_MAX];
  uint32_t push[RG_GPU_PUSH_MAX];
} rg_gpu_task;

typedef struct rg_gpu_prepare {
  /* given */
  const rg_node *node;
  int input_count, output_count;
  const rg_fact *const *inputs;  /* concrete; `constant` set for weights. NULL: absent */
  const rg_fact *const *outputs; /* concrete. NULL: absent */
  rg_gpu_device *device;
  rg_gpu_weights *weights;
  bool half; /* float32 values and weights lie in memory as float16; arithmetic is float32's */
  /* to fill */
  rg_gpu_task tasks[RG_GPU_TASKS_MAX];
  int task_count; /* 0: no shader for this; the CPU runs the node */
  size_t scratch_bytes;
  rg_gpu_weight *held[8]; /* references that the plan holds and releases */
  int held_count;
  bool in_place; /* output 0 may lie over input 0 (same bytes) */
} rg_gpu_prepare;

/* ---- from tasks to a list ---- */

/* Where a node's operands lie. */
typedef struct rg_gpu_places {
  const rg_gpu_part *inputs, *outputs; /* [node's counts]; buffer NULL: absent */
  rg_gpu_part scratch;
} rg_gpu_places;

/* Part of a buffer that a command read or wrote. */
typedef struct rg_gpu_touch {
  rg_gpu_part part;
  bool written;
} rg_gpu_touch;

/* Commands, with barriers only where one touches what another wrote. Starts zeroed. */
typedef struct rg_gpu_recorder {
  struct {
    rg_gpu_command *items;
    size_t count, capacity;
  } commands;
  struct {
    rg_gpu_touch *items;
    size_t count, capacity;
  } touched; /* since the last barrier */
} rg_gpu_recorder;

/* ---- what librango asks of this library ---- */

#define RG_GPU_LIBRARY_VERSION 2

typedef struct rg_gpu_library {
  int version; /* RG_GPU_LIBRARY_VERSION */
  /* The backend of that name, or NULL where this build has none. */
  const rg_gpu_backend *(*backend)(const char *name);
  /* A device shared by all who open it; the last one to close closes it. RANGO_ERROR_DEVICE names what is missing. */
  rango_status (*open)(const char *backend, int index, rg_gpu_device **out);
  void (*close)(rg_gpu_device *device);
  rango_status (*tune)(const char *backend, int index, rango_gpu_tuning *out); /* as rango_gpu_tune */
  bool (*is_tuned)(const rg_gpu_info *info);
  rango_status (*weights_create)(rg_gpu_device *device, rg_gpu_weights **out);
  void (*weights_free)(rg_gpu_weights *weights); /* all references must be released */
  size_t (*weights_bytes)(rg_gpu_weights *weights);
  void (*weight_release)(rg_gpu_weight *weight);
  /* Fills `prepare`. Values' layouts are in node->inputs[i]->layout and node->outputs[i]->layout. */
  rango_status (*prepare)(rg_gpu_prepare *prepare);
  rango_status (*record_task)(rg_gpu_recorder *recorder, const rg_gpu_task *task, const rg_gpu_places *places);
  rango_status (*record_copy)(rg_gpu_recorder *recorder, rg_gpu_part from, rg_gpu_part to);
  rango_status (*record_timestamp)(rg_gpu_recorder *recorder);
  void (*recorder_clear)(rg_gpu_recorder *recorder);
} rg_gpu_library;

/* The one entry of librango-gpu. */
const rg_gpu_library *rg_gpu_library_get(void);

#endif
