/*
 * Rango: load, inspect and run trained neural networks (ONNX) on small machines.
 *
 *     rango_model *model = NULL;
 *     rango_session *session = NULL;
 *     rango_tensor *image = NULL, *scores = NULL;
 *
 *     if (rango_model_load("classifier.onnx", NULL, &model) != RANGO_OK ||
 *         rango_session_create(model, NULL, &session) != RANGO_OK ||
 *         rango_tensor_load_npy("image.npy", &image) != RANGO_OK ||
 *         rango_session_run(session, (const rango_tensor *[]){image}, 1, &scores, 1) != RANGO_OK)
 *         fprintf(stderr, "%s\n", rango_error_message());
 *     else
 *         printf("%g\n", ((const float *)rango_tensor_data(scores))[0]);
 *
 *     rango_tensor_free(scores);
 *     rango_tensor_free(image);
 *     rango_session_free(session);
 *     rango_model_free(model);
 *
 * Every call that can fail returns a rango_status; rango_error_message() then says what went wrong and where.
 * The library never prints, exits or aborts. Compressing networks: rango_compress.h.
 *
 * Threads: a model is immutable after loading and may be shared by any number of threads. A session, and a
 * tensor being written, belong to one thread at a time.
 */
#ifndef RANGO_H
#define RANGO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RANGO_VERSION_MAJOR  0
#define RANGO_VERSION_MINOR  1
#define RANGO_VERSION_PATCH  0
#define RANGO_VERSION_STRING "0.1.0"

#if defined(_WIN32) || !defined(__GNUC__)
#define RANGO_API
#else
#define RANGO_API __attribute__((visibility("default")))
#endif

/* The library's version, "major.minor.patch". */
RANGO_API const char *rango_version(void);

/* ------------------------------------------------------------------------------------------------ errors --- */

typedef enum rango_status {
  RANGO_OK = 0,
  RANGO_ERROR_ARGUMENT = 1,    /* a call's argument is wrong: NULL, unknown name, shape that doesn't fit */
  RANGO_ERROR_MEMORY = 2,      /* out of memory, or a caller's allocator said no */
  RANGO_ERROR_IO = 3,          /* a file can't be opened, read or written */
  RANGO_ERROR_FORMAT = 4,      /* a file's content is not what its format says */
  RANGO_ERROR_UNSUPPORTED = 5, /* valid, but not implemented: the message names the operator or feature */
  RANGO_ERROR_LIMIT = 6,       /* a size or depth is over the library's bound */
  RANGO_ERROR_NUMERIC = 7,     /* NaN or infinity where numbers are needed, or no convergence */
  RANGO_ERROR_BUDGET = 8,      /* compression found nothing within the budget; nothing was written */
  RANGO_ERROR_CANCELLED = 9,   /* the caller's progress callback asked to stop */
  RANGO_ERROR_INTERNAL = 10,   /* a bug in the library: please report the message */
  RANGO_ERROR_DEVICE = 11      /* a GPU that was asked for isn't there, or failed while running */
} rango_status;

/* The status's short name, such as "out of memory". Never NULL. */
RANGO_API const char *rango_status_name(rango_status status);

/* What the calling thread's last failed call said: one line without a newline, naming the file, node, operator or
 * argument. "" when nothing failed yet. Valid until the thread's next call into the library. */
RANGO_API const char *rango_error_message(void);

/* ------------------------------------------------------------------------------- process-wide settings --- */

/* Memory from the caller. `allocate` returns memory aligned to `alignment` (a power of two) or NULL. */
typedef struct rango_allocator {
  size_t struct_size; /* sizeof(rango_allocator) */
  void *user;
  void *(*allocate)(void *user, size_t bytes, size_t alignment);
  void (*release)(void *user, void *memory, size_t bytes);
} rango_allocator;

/* Replaces the allocator for the whole process; NULL restores the C library's. Call it before anything else: memory
 * taken from one allocator must not be given back to another. */
RANGO_API rango_status rango_set_allocator(const rango_allocator *allocator);

typedef enum rango_log_level { RANGO_LOG_DEBUG = 0, RANGO_LOG_INFO = 1, RANGO_LOG_WARNING = 2 } rango_log_level;
typedef void (*rango_log_function)(void *user, rango_log_level level, const char *message);

/* Sends messages of at least `level` to `function`; NULL (the start) keeps the library silent. */
RANGO_API void rango_set_log(rango_log_function function, void *user, rango_log_level level);

/* ----------------------------------------------------------------------------------------------- tensors --- */

/* Element types, numbered as ONNX's TensorProto.DataType. */
typedef enum rango_type {
  RANGO_UNDEFINED = 0,
  RANGO_FLOAT32 = 1,
  RANGO_UINT8 = 2,
  RANGO_INT8 = 3,
  RANGO_UINT16 = 4,
  RANGO_INT16 = 5,
  RANGO_INT32 = 6,
  RANGO_INT64 = 7,
  RANGO_STRING = 8,
  RANGO_BOOL = 9,
  RANGO_FLOAT16 = 10,
  RANGO_FLOAT64 = 11,
  RANGO_UINT32 = 12,
  RANGO_UINT64 = 13,
  RANGO_COMPLEX64 = 14,
  RANGO_COMPLEX128 = 15,
  RANGO_BFLOAT16 = 16,
  RANGO_FLOAT8E4M3FN = 17,
  RANGO_FLOAT8E4M3FNUZ = 18,
  RANGO_FLOAT8E5M2 = 19,
  RANGO_FLOAT8E5M2FNUZ = 20,
  RANGO_UINT4 = 21, /* 4-bit types: two elements a byte, the first in the low bits */
  RANGO_INT4 = 22,
  RANGO_FLOAT4E2M1 = 23,
  RANGO_FLOAT8E8M0 = 24,
  RANGO_UINT2 = 25, /* 2-bit types: four elements a byte, the first in the low bits */
  RANGO_INT2 = 26
} rango_type;

#define RANGO_TYPE_COUNT 27
#define RANGO_MAX_RANK   16

/* The type's name, such as "float32"; "undefined" for a number outside the list. */
RANGO_API const char *rango_type_name(rango_type type);
/* Bits an element takes; 0 for RANGO_UNDEFINED and RANGO_STRING. */
RANGO_API size_t rango_type_bits(rango_type type);

/* A dense array in row-major order (last axis contiguous). */
typedef struct rango_tensor rango_tensor;

/* A new tensor of zeros. `dims` has `rank` entries (0 to RANGO_MAX_RANK), each >= 0. Free it with rango_tensor_free.
 * Strings are only wrapped. */
RANGO_API rango_status rango_tensor_create(rango_type type, int rank, const int64_t *dims, rango_tensor **out);
/* A tensor over the caller's memory of `bytes` bytes, which must hold the shape and outlive the tensor. */
RANGO_API rango_status rango_tensor_wrap(rango_type type, int rank, const int64_t *dims, void *data, size_t bytes,
                                         rango_tensor **out);
RANGO_API void rango_tensor_free(rango_tensor *tensor); /* NULL is allowed, here and in every ..._free */

RANGO_API rango_type rango_tensor_type(const rango_tensor *tensor);
RANGO_API int rango_tensor_rank(const rango_tensor *tensor);
RANGO_API const int64_t *rango_tensor_dims(const rango_tensor *tensor); /* [rank] */
RANGO_API int64_t rango_tensor_count(const rango_tensor *tensor);       /* elements */
RANGO_API size_t rango_tensor_bytes(const rango_tensor *tensor);
/* The elements. For RANGO_STRING: an array of `const char *`, each zero-terminated. */
RANGO_API const void *rango_tensor_data(const rango_tensor *tensor);
RANGO_API void *rango_tensor_data_mut(rango_tensor *tensor);

/* Reads and writes NumPy's .npy (versions 1 to 3; C or Fortran order read, C order written; little and big endian
 * read). The file is written whole or not at all. */
RANGO_API rango_status rango_tensor_load_npy(const char *path, rango_tensor **out);
RANGO_API rango_status rango_tensor_save_npy(const rango_tensor *tensor, const char *path);
/* The same from memory, as found in an .npz member. `name` is for messages. */
RANGO_API rango_status rango_tensor_parse_npy(const void *data, size_t bytes, const char *name, rango_tensor **out);
/* Reads a serialized ONNX TensorProto (a .pb file, as in ONNX's test data). */
RANGO_API rango_status rango_tensor_load_pb(const char *path, rango_tensor **out);

/* ------------------------------------------------------------------------------------------------ models --- */

typedef struct rango_model rango_model;

typedef struct rango_load_options {
  size_t struct_size;        /* sizeof(rango_load_options) */
  const char *folder;        /* where external data files lie; NULL: the model file's own folder */
  uint64_t max_memory_bytes; /* bound on what loading may allocate beside the mapped file; 0: a default (2 GiB) */
} rango_load_options;

/* Loads an ONNX model, mapping its weights from the file, which must not change while the model lives.
 * Operators that Rango doesn't know are kept: such a model can be inspected and saved, not run. */
RANGO_API rango_status rango_model_load(const char *path, const rango_load_options *options, rango_model **out);
/* The same from memory; `data` is copied. External data needs options->folder. */
RANGO_API rango_status rango_model_load_memory(const void *data, size_t bytes, const rango_load_options *options,
                                               rango_model **out);
/* Writes the model, whole or not at all. Tensors that would take the file over protobuf's 2 GiB go to one external
 * data file beside it, `<path>.data`. */
RANGO_API rango_status rango_model_save(const rango_model *model, const char *path);
/* Gives up the caller's hold; the model's memory goes with its last session. */
RANGO_API void rango_model_free(rango_model *model);

/* What a model's input or output is declared as. Strings and arrays live as long as the model. */
typedef struct rango_value_info {
  const char *name;
  rango_type type;            /* RANGO_UNDEFINED when it is no tensor */
  int rank;                   /* -1: not declared */
  const int64_t *dims;        /* [rank]; -1: not fixed */
  const char *const *symbols; /* [rank]; the name of a size that is not fixed ("batch"), or NULL */
} rango_value_info;

/* Inputs that a caller must supply (initializers listed among the graph's inputs don't count) and outputs. */
RANGO_API size_t rango_model_input_count(const rango_model *model);
RANGO_API size_t rango_model_output_count(const rango_model *model);
/* `out->...` is valid while the model lives. RANGO_ERROR_ARGUMENT when `index` is out of range. */
RANGO_API rango_status rango_model_input(const rango_model *model, size_t index, rango_value_info *out);
RANGO_API rango_status rango_model_output(const rango_model *model, size_t index, rango_value_info *out);
/* Value of a metadata property, or NULL. */
RANGO_API const char *rango_model_metadata(const rango_model *model, const char *key);

/* ---------------------------------------------------------------------------------------------- analysis --- */

/* A size for a symbol of the model's inputs. */
typedef struct rango_dim_binding {
  const char *symbol;
  int64_t value;
} rango_dim_binding;

typedef struct rango_layer_info {
  const char *name; /* the node's name, or its first output's */
  const char *op;   /* operator, such as "Conv" */
  const char *domain;
  int input_rank, output_rank, weight_rank;                                      /* -1: unknown or none */
  int64_t input[RANGO_MAX_RANK], output[RANGO_MAX_RANK], weight[RANGO_MAX_RANK]; /* first input, output; -1: unknown */
  int64_t params; /* floating-point elements among its constants; a shared one counts at its first user */
  int64_t macs;   /* multiply-accumulates for one row; 0 where the operator has none, -1: shape unknown */
} rango_layer_info;

typedef struct rango_analysis rango_analysis;

/* Shapes, parameters and MACs of every node, for symbols bound as given and otherwise 1 (so: for batch 1). */
RANGO_API rango_status rango_analysis_create(const rango_model *model, const rango_dim_binding *bindings,
                                             size_t binding_count, rango_analysis **out);
RANGO_API void rango_analysis_free(rango_analysis *analysis);
RANGO_API size_t rango_analysis_layer_count(const rango_analysis *analysis);
RANGO_API const rango_layer_info *rango_analysis_layer(const rango_analysis *analysis, size_t index);
RANGO_API int64_t rango_analysis_params(const rango_analysis *analysis); /* whole model, subgraphs included */
RANGO_API int64_t rango_analysis_macs(const rango_analysis *analysis);   /* -1 when a layer's are unknown */

/* One operator that Rango implements: its name, domain and the opsets it covers. */
typedef struct rango_op_info {
  const char *domain, *name;
  int since, until; /* opset versions, inclusive */
} rango_op_info;

RANGO_API size_t rango_op_count(void);
RANGO_API const rango_op_info *rango_op(size_t index);

/* --------------------------------------------------------------------------------------- running networks --- */

/* A thread pool that sessions can share (one runs at a time). */
typedef struct rango_threads rango_threads;

/* `count` threads, the caller's included; 0: one for each core that the process may use. */
RANGO_API rango_status rango_threads_create(int count, rango_threads **out);
RANGO_API void rango_threads_free(rango_threads *threads);
RANGO_API int rango_threads_count(const rango_threads *threads);

typedef enum rango_device {
  RANGO_DEVICE_CPU = 0,
  RANGO_DEVICE_REFERENCE = 1, /* plain scalar C on one thread: the truth in tests and the slow row of the benchmark */
  RANGO_DEVICE_VULKAN = 2,    /* a GPU; what it can't run, the CPU does */
  RANGO_DEVICE_METAL = 3
} rango_device;

/* One run of one node of a session's network, after fusion. All of it is the library's, and valid during the call. */
typedef struct rango_node_event {
  const char *name, *op, *where;      /* as in rango_profile_entry */
  double start, milliseconds;         /* milliseconds; 0 is when the session was made */
  int64_t macs;                       /* 0: none */
  const rango_tensor *input, *output; /* the first of each, for their types and shapes: elements may lie in another
                                         order than ONNX's. NULL: absent, or no tensor */
} rango_node_event;
typedef void (*rango_node_function)(void *user, const rango_node_event *event);

typedef struct rango_session_options {
  size_t struct_size; /* sizeof(rango_session_options) */
  rango_device device;
  int threads;                 /* the session's own pool; 0: one for each core. Ignored when `pool` is set */
  rango_threads *pool;         /* a pool shared with other sessions; outlives them */
  const char *isa;             /* "generic", "neon", "avx2" or "avx512"; NULL: $RANGO_ISA, otherwise the CPU's best */
  bool profile;                /* measure every node's time; read with rango_session_profile */
  int max_plans;               /* plans kept, one for each set of input shapes; 0: 8 */
  rango_node_function on_node; /* called by rango_session_run, in its thread, after every node; or NULL */
  void *on_node_user;
  int gpu;       /* which of the Vulkan or Metal devices, as rango_gpu_get_info counts them */
  bool gpu_half; /* float32 values and weights lie in the GPU's memory as float16: half the bytes, about 3 digits */
} rango_session_options;

typedef struct rango_session rango_session;

/* Prepares a model for running. RANGO_ERROR_UNSUPPORTED names the first operator that Rango lacks. */
RANGO_API rango_status rango_session_create(const rango_model *model, const rango_session_options *options,
                                            rango_session **out);
RANGO_API void rango_session_free(rango_session *session);

/* Runs the network once. inputs[i] is the model's input i (rango_model_input). outputs[i] is either NULL, and then
 * receives a new tensor that the caller frees, or the caller's tensor of the right type and shape, which is written in
 * place. Input shapes may change from call to call; shapes seen before allocate nothing. */
RANGO_API rango_status rango_session_run(rango_session *session, const rango_tensor *const *inputs, size_t input_count,
                                         rango_tensor **outputs, size_t output_count);

typedef struct rango_session_stats {
  size_t struct_size;  /* sizeof(rango_session_stats), set by the caller */
  size_t weight_bytes; /* the model's floating-point constants as stored */
  size_t packed_bytes; /* weights packed for the kernels */
  size_t arena_bytes;  /* the last plan's arena: activations and scratch */
  int plans;           /* plans held */
  int threads;
  const char *isa; /* kernels in use: "avx512", ..., or "reference" */
} rango_session_stats;

RANGO_API rango_status rango_session_get_stats(const rango_session *session, rango_session_stats *out);

typedef struct rango_profile_entry {
  const char *name, *op; /* node and operator, after fusion */
  double milliseconds;   /* sum over `calls` */
  int64_t calls;
  int64_t macs;      /* of one call; 0: none */
  const char *where; /* "cpu avx512", "cpu portable", "reference", "vulkan" */
} rango_profile_entry;

/* Entries in the order of execution, valid until the next run; a session made without `profile` has none. */
RANGO_API size_t rango_session_profile(const rango_session *session, const rango_profile_entry **out);

/* --------------------------------------------------------------------------------------------- this machine --- */

typedef struct rango_cpu_info {
  size_t struct_size;                  /* sizeof(rango_cpu_info), set by the caller */
  const char *architecture;            /* "x86-64", "aarch64", other */
  const char *features;                /* space-separated: "avx2 fma avx512f ..." */
  const char *isa;                     /* kernels chosen, $RANGO_ISA respected */
  int cores;                           /* that this process may use */
  size_t l1_bytes, l2_bytes, l3_bytes; /* data caches; 0: unknown */
} rango_cpu_info;

RANGO_API rango_status rango_cpu_get_info(rango_cpu_info *out);

typedef struct rango_gpu_info {
  size_t struct_size;      /* sizeof(rango_gpu_info), set by the caller */
  char name[256];          /* as its maker calls it */
  char driver[256];        /* name and version */
  bool software;           /* no GPU, but a driver that computes on the CPU */
  bool unified;            /* its memory is the CPU's */
  bool half;               /* can hold float16: rango_session_options.gpu_half */
  bool timestamps;         /* rango_session_profile tells the GPU's own times */
  bool tuned;              /* rango_gpu_tune has measured it: sessions choose by that */
  size_t memory_bytes;     /* of its own */
  size_t binding_bytes;    /* largest tensor that a shader sees; the CPU runs nodes with larger ones */
  uint32_t group_count[3]; /* most thread groups of a launch, by axis */
  uint32_t group_threads;  /* most threads of a group */
  uint32_t shared_bytes;   /* of memory that a group's threads share */
  uint32_t units;          /* multiprocessors or cores; 0: the driver doesn't tell */
} rango_gpu_info;

/* GPUs of the kind RANGO_DEVICE_VULKAN or RANGO_DEVICE_METAL. 0 and RANGO_OK where the machine has no driver for it;
 * RANGO_ERROR_DEVICE where this build of Rango can't use any. */
RANGO_API rango_status rango_gpu_count(rango_device kind, int *out);
/* Device `index` of them, real GPUs before software. */
RANGO_API rango_status rango_gpu_get_info(rango_device kind, int index, rango_gpu_info *out);

/* A tile that the GPU computes matrix products and convolutions by: rows x columns results, of a pair's first product
 * where a low-rank pair is one. Microseconds for `depth` terms of each: of a tile that has its multiprocessor for
 * itself, and of one of many; what matters is how tiles compare. */
typedef struct rango_gpu_tile {
  const char *name;
  bool pair;
  int rows, columns, depth;
  double alone_us, busy_us;
  double alone_us_before, busy_us_before; /* what was chosen by until now */
} rango_gpu_tile;

typedef struct rango_gpu_tuning {
  size_t struct_size; /* sizeof(rango_gpu_tuning), set by the caller */
  char file[512];     /* that holds it */
  size_t tile_count;
  rango_gpu_tile tiles[16];
} rango_gpu_tuning;

/* Measures the tiles on the device, which should be idle, for seconds, and keeps the result in the user's cache folder
 * (`file`), one for each kind of device and driver. Devices opened from then on choose tiles, parts and Winograd's
 * method by it; remove the file to return to the built-in figures. A file that is damaged or of another version of the
 * tiles is ignored. Devices that sessions of this process hold stay as they are. RANGO_ERROR_UNSUPPORTED: the device
 * has no timestamps. */
RANGO_API rango_status rango_gpu_tune(rango_device kind, int index, rango_gpu_tuning *out);

/* Counts the energy that a device takes, whoever uses it: the CPU's packages by Linux's RAPL counters (often for root
 * alone), an NVIDIA GPU by its driver, on macOS both by the system's powermetrics, for root. */
typedef struct rango_meter rango_meter;

/* RANGO_ERROR_UNSUPPORTED where nothing tells it; the message says why. */
RANGO_API rango_status rango_meter_create(rango_device device, int gpu, rango_meter **out);
/* Joules since the meter was made. Counters move in steps of milliseconds, so measure a second or more; on macOS a
 * reading takes up to a fifth of one. */
RANGO_API rango_status rango_meter_read(rango_meter *meter, double *joules);
RANGO_API void rango_meter_free(rango_meter *meter);

/* Measures the machine's peak: fused multiply-adds of the chosen kernels' vector width (GFLOP/s, one FMA being two) and
 * read bandwidth (GB/s) with `threads` threads, in about `seconds` seconds. */
RANGO_API rango_status rango_cpu_measure_peak(int threads, double seconds, double *gflops, double *gbytes);

#ifdef __cplusplus
}
#endif
#endif
