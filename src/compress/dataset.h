/* Rows of a model's inputs, from files or tensors. */
#ifndef RG_COMPRESS_DATASET_H
#define RG_COMPRESS_DATASET_H

#include "graph/graph.h"
#include "rango_compress.h"

struct rango_dataset {
  rango_model *model;  /* held */
  size_t count;        /* inputs */
  rango_tensor *items; /* [count] whole arrays */
  bool *constant;      /* [count] given to every row alike */
  int64_t rows;        /* after `order` */
  int64_t fixed_batch; /* 0: any */
  const char **files;  /* [count] where arrays come from, for messages; NULL: the caller's tensors */
  rg_arena *arena;     /* of the files' names */
  int64_t *order;      /* [rows] of the arrays' rows; NULL: all in their order */
};

/* The rows `order` [rows] of `data`, sharing its arrays. */
rango_status rg_dataset_subset(const rango_dataset *data, const int64_t *order, int64_t rows, rango_dataset **out);

/* The first `rows`, as far as they reach, rounded up to whole fixed batches. */
rango_status rg_dataset_first_rows(const rango_dataset *data, int64_t rows, rango_dataset **out);

/* RANGO_ERROR_NUMERIC names the input and row of the first NaN or infinity; `what` is what to call the data. */
rango_status rg_dataset_check_finite(const rango_dataset *data, const char *what);

/* One .npz member or all: fills items [count] from `path` for the model's inputs (npz.c). */
rango_status rg_npz_load(const rango_model *model, const char *path, rango_tensor *items, size_t count);
/* Up to 8 float32 arrays as one .npz (npz_write.c). */
rango_status rg_npz_save(const char *path, const char *const *names, const rango_tensor *const *tensors, size_t count);

/* Rows a run takes: the fixed batch, or `wanted`. */
int64_t rg_dataset_batch_rows(const rango_dataset *data, int64_t wanted);
void rg_tensors_free(rango_tensor **tensors, size_t count); /* frees each and sets it to NULL */

#endif
