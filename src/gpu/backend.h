/*
 * What a GPU backend is to the rest: a table of functions over devices, buffers and recorded lists of commands. vulkan/
 * and metal/ each fill one; nothing else knows their interfaces.
 *
 *   open a device ─▶ buffers ─▶ list of commands (recorded once) ─▶ run it, as often as wanted
 *
 * A device may be used by several threads; a list by one at a time.
 */
#ifndef RG_GPU_BACKEND_H
#define RG_GPU_BACKEND_H

#include "base/memory.h"

#define RG_GPU_BINDINGS_MAX 8
#define RG_GPU_PUSH_MAX     32    /* 32-bit words of push constants: what every Vulkan device takes */
#define RG_GPU_ALIGNMENT    256   /* of buffers' parts: no device asks for more */
#define RG_GPU_SHARED_BYTES 32768 /* of memory that a group of threads shares, at most: Metal's bound */
#define RG_GPU_TILES        6     /* that products are made of (product.c) */

/* ---- shaders, made by the build from the folder shaders ---- */

/* A shader in Metal's language. */
typedef struct rg_gpu_msl {
  const char *source;     /* NULL: none */
  const uint8_t *library; /* compiled by the build; NULL where it had no compiler */
  size_t library_bytes;
} rg_gpu_msl;

typedef struct rg_gpu_shader {
  const char *name;
  const uint32_t *spirv; /* NULL where the library is built without Vulkan */
  size_t spirv_bytes;
  rg_gpu_msl msl;          /* none where it is built without Metal */
  rg_gpu_msl msl_matrices; /* a twin for GPUs with SIMD-group matrices: same groups and arguments; or none */
  uint32_t threads[3];     /* of a group */
  uint32_t shared_bytes;
  int binding_count; /* storage buffers: bindings 1 … binding_count of set 0 */
  int push_words;
} rg_gpu_shader;

/* By rg_gpu_shader_id (generated: gpu/shader_ids.h). */
extern const rg_gpu_shader rg_gpu_shaders[];
extern const int rg_gpu_shader_count;

/* ---- devices ---- */

typedef struct rg_gpu_backend rg_gpu_backend;

typedef struct rg_gpu_info {
  char name[256];   /* the maker's */
  char driver[256]; /* name and version */
  bool software;    /* runs on the CPU */
  bool unified;     /* its memory is the CPU's: buffers are mapped, nothing is copied */
  bool half;        /* 16-bit elements in storage buffers */
  size_t memory_bytes;
  size_t binding_bytes;    /* largest part of a buffer that a shader sees */
  uint32_t group_count[3]; /* most groups of a dispatch, by axis */
  uint32_t group_threads;  /* most threads of a group */
  uint32_t shared_bytes;
  uint32_t units; /* multiprocessors or cores, where the driver tells; 0: unknown */
  bool timestamps;
  uint8_t uuid[16];    /* the driver's, zeros: none; the maker's other libraries know the device by it */
  char cache_name[80]; /* of files that are kept for devices of this kind with this driver (cache.h) */
} rg_gpu_info;

/* Microseconds that a step of a tile takes a group that has its multiprocessor for itself, and one of many: with g
 * groups on each, a step of all of them takes g * busy. */
typedef struct rg_gpu_rate {
  double alone, busy;
} rg_gpu_rate;

/* Backends embed it as their first member. */
typedef struct rg_gpu_device {
  const rg_gpu_backend *backend;
  int index;
  rg_gpu_info info;
  bool tuned; /* set with what follows by who opens devices (device.c): a file holds its rates */
  rg_gpu_rate rates[RG_GPU_TILES];
} rg_gpu_device;

/* ---- buffers ---- */

typedef enum rg_gpu_memory {
  RG_GPU_LOCAL,   /* the device's fastest; mapped only where memory is unified */
  RG_GPU_UPLOAD,  /* the CPU writes, the device reads */
  RG_GPU_DOWNLOAD /* the device writes, the CPU reads */
} rg_gpu_memory;

/* Backends embed it as their first member. */
typedef struct rg_gpu_buffer {
  size_t bytes;
  void *mapped; /* NULL: not visible to the CPU */
} rg_gpu_buffer;

/* ---- commands ---- */

/* Part of a buffer: `offset` a multiple of RG_GPU_ALIGNMENT. */
typedef struct rg_gpu_part {
  rg_gpu_buffer *buffer;
  size_t offset, bytes;
} rg_gpu_part;

typedef enum rg_gpu_command_kind {
  RG_GPU_DISPATCH,
  RG_GPU_COPY,     /* parts[0] to parts[1], parts[0].bytes bytes: a multiple of 4 */
  RG_GPU_BARRIER,  /* what comes later sees what came before; commands between two barriers run in any order */
  RG_GPU_TIMESTAMP /* the time when all before it is done */
} rg_gpu_command_kind;

typedef struct rg_gpu_command {
  rg_gpu_command_kind kind;
  int shader; /* of a dispatch */
  uint32_t groups[3];
  int part_count; /* = the shader's binding_count: part i is binding i + 1 */
  rg_gpu_part parts[RG_GPU_BINDINGS_MAX];
  int push_words;
  uint32_t push[RG_GPU_PUSH_MAX];
} rg_gpu_command;

typedef struct rg_gpu_list rg_gpu_list;

/* ---- the table ---- */

struct rg_gpu_backend {
  const char *name; /* "vulkan", "metal" */
  /* How many devices there are; 0 and RANGO_OK where the machine has no driver at all. */
  rango_status (*count)(int *out);
  rango_status (*describe)(int index, rg_gpu_info *out);
  rango_status (*open)(int index, rg_gpu_device **out);
  void (*close)(rg_gpu_device *device); /* all its buffers and lists are freed */

  rango_status (*buffer_create)(rg_gpu_device *device, rg_gpu_memory memory, size_t bytes, rg_gpu_buffer **out);
  void (*buffer_free)(rg_gpu_device *device, rg_gpu_buffer *buffer); /* NULL is allowed */
  /* Blocking copies between any buffer and memory of the CPU, for weights and tests. */
  rango_status (*buffer_write)(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, const void *from,
                               size_t bytes);
  rango_status (*buffer_read)(rg_gpu_device *device, rg_gpu_buffer *buffer, size_t offset, void *to, size_t bytes);

  /* Makes the pipelines that the commands need and records them. Commands are copied. */
  rango_status (*list_create)(rg_gpu_device *device, const rg_gpu_command *commands, size_t count, rg_gpu_list **out);
  void (*list_free)(rg_gpu_device *device, rg_gpu_list *list); /* NULL is allowed */
  /* Runs the list and waits for its end. A lost or hung device is RANGO_ERROR_DEVICE. */
  rango_status (*list_run)(rg_gpu_device *device, rg_gpu_list *list);
  /* Milliseconds of each timestamp of the last run, from the first one on. `count` as many as were recorded. */
  rango_status (*list_times)(rg_gpu_device *device, rg_gpu_list *list, double *milliseconds, size_t count);
};

#endif
