/*
 * rango.Attention, a block of rows at a time: its scores against all keys, their softmax, and the product with the
 * values stay in the cache and are never written whole. Weights are divided by their sum at the end, on the result's
 * few columns (Milakov and Gimelshein, Online normalizer calculation for softmax, 2018; Dao et al., FlashAttention,
 * 2022). Blocks don't depend on the number of threads.
 */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/threads.h"
#include "cpu/families.h"
#include "cpu/product.h"
#include "ops/attention.h"

#define BLOCK_TILES 4           /* at most: register tiles of rows in a block */
#define BLOCK_BYTES (96u << 10) /* at most: of a block's scores, where a tile's aren't more */
#define SMALL_WORK  65536       /* multiply-adds below which another thread costs more than it saves */

typedef struct attention_state {
  const rg_kernels *kernels;
  rg_attention a;
  rg_shape shape;
  size_t rows, keys, inner, columns;
  size_t block_rows, blocks; /* of a matrix */
  size_t score_row;          /* floats from one row of scores to the next */
  size_t units, tasks;       /* a unit is a block of a matrix */
  size_t k_floats, v_floats; /* packed */
  size_t task_bytes;         /* a room */
} attention_state;

typedef struct attention_job {
  const attention_state *state;
  const float *q, *k, *v, *mask; /* mask may be NULL */
  float *y;
  char *scratch;
} attention_job;

/* What one task works in: packed operands, and of a block the scores, their sums, the rows of a product, and queries
 * where their elements lie apart. */
typedef struct room {
  float *keys, *values, *scores, *sums, *queries;
  const float **pointers;
} room;

/* Where the next part of a room begins. */
static void *part(char **at, size_t count, size_t size) {
  char *begin = *at;
  *at += rg_round_up(count * size, RG_ALIGNMENT);
  return begin;
}

static room room_of(const attention_state *s, char *at) {
  room r = {.keys = part(&at, s->k_floats, sizeof(float)), .values = part(&at, s->v_floats, sizeof(float))};
  r.scores = part(&at, s->block_rows * s->score_row, sizeof(float));
  r.sums = part(&at, s->block_rows, sizeof(float));
  r.queries = part(&at, s->block_rows * s->inner, sizeof(float));
  r.pointers = part(&at, BLOCK_TILES * s->kernels->mr, sizeof(float *));
  return r;
}

/* Element strides over a matrix's rows and columns. */
static size_t row_step(const attention_state *s, const rg_attention_view *view) {
  return (size_t)view->strides[s->a.batch_rank];
}
static size_t column_step(const attention_state *s, const rg_attention_view *view) {
  return (size_t)view->strides[s->a.batch_rank + 1];
}

/* Keys, scaled, as [inner][keys], and values as [keys][columns]. */
static void pack_matrix(const attention_job *job, size_t item, const room *r) {
  const attention_state *s = job->state;
  const rg_pack_view keys = {.b = job->k + rg_attention_at(&s->a, &s->a.k, (int64_t)item),
                             .row = column_step(s, &s->a.k),
                             .column = row_step(s, &s->a.k),
                             .k = s->inner,
                             .n = s->keys,
                             .scale = s->a.scale,
                             .total = s->inner};
  const rg_pack_view values = {.b = job->v + rg_attention_at(&s->a, &s->a.v, (int64_t)item),
                               .row = row_step(s, &s->a.v),
                               .column = column_step(s, &s->a.v),
                               .k = s->keys,
                               .n = s->columns,
                               .scale = 1.0f,
                               .total = s->keys};
  rg_pack_panel_range(s->kernels, &keys, 0, rg_pack_panels(s->kernels, s->keys), r->keys);
  rg_pack_panel_range(s->kernels, &values, 0, rg_pack_panels(s->kernels, s->columns), r->values);
}

/* Weights of rows [begin, end), from their scores for the first `seen` keys; mask is the matrix's, or NULL. */
static void weigh(const attention_state *s, const float *mask, size_t begin, size_t end, size_t seen, const room *r) {
  const rg_vector_kernels *vector = s->kernels->vector;
  const size_t mask_row = row_step(s, &s->a.mask);
  if (mask != NULL) mask += begin * mask_row;
  if (!s->a.causal) {
    vector->attention_weights(mask, mask_row, r->scores, s->score_row, end - begin, seen, r->sums);
    return;
  }
  for (size_t i = begin; i < end; i++) {
    float *scores = r->scores + (i - begin) * s->score_row;
    const size_t own = i + 1 < seen ? i + 1 : seen;
    vector->attention_weights(mask, 0, scores, 0, 1, own, r->sums + (i - begin));
    memset(scores + own, 0, (seen - own) * sizeof *scores);
    if (mask != NULL) mask += mask_row;
  }
}

/* Rows [begin, end) of a matrix. */
static void attend(const attention_job *job, size_t item, size_t begin, size_t end, const room *r) {
  const attention_state *s = job->state;
  const size_t rows = end - begin, q_row = row_step(s, &s->a.q), q_column = column_step(s, &s->a.q);
  const size_t y_row = row_step(s, &s->a.y), panels = rg_round_up(end, s->kernels->nr);
  const size_t seen = s->a.causal && panels < s->keys ? panels : s->keys; /* whole panels */
  const float *q = job->q + rg_attention_at(&s->a, &s->a.q, (int64_t)item) + begin * q_row, *mask = NULL;
  float *y = job->y + rg_attention_at(&s->a, &s->a.y, (int64_t)item) + begin * y_row;
  if (job->mask != NULL) mask = job->mask + rg_attention_at(&s->a, &s->a.mask, (int64_t)item);
  for (size_t i = 0; q_column != 1 && i < rows; i++)
    for (size_t d = 0; d < s->inner; d++) r->queries[i * s->inner + d] = q[i * q_row + d * q_column];
  const rg_gemm_small scores = {.a = q_column != 1 ? r->queries : q,
                                .a_row = q_column != 1 ? s->inner : q_row,
                                .b = r->keys,
                                .b_rows = s->inner,
                                .c = r->scores,
                                .c_row = s->score_row,
                                .rows = rows,
                                .n = seen,
                                .k = s->inner};
  const rg_gemm_small result = {.a = r->scores,
                                .a_row = s->score_row,
                                .b = r->values,
                                .b_rows = s->keys,
                                .c = y,
                                .c_row = y_row,
                                .rows = rows,
                                .n = s->columns,
                                .k = seen};
  rg_gemm_run_small(s->kernels, &scores, r->pointers);
  weigh(s, mask, begin, end, seen, r);
  rg_gemm_run_small(s->kernels, &result, r->pointers);
  for (size_t i = 0; i < rows; i++)
    s->kernels->vector->unary(RG_UNARY_LINEAR, 1.0f / r->sums[i], 0.0f, y + i * y_row, y + i * y_row, s->columns);
}

static void run_task(void *argument, size_t task) {
  const attention_job *job = argument;
  const attention_state *s = job->state;
  const room r = room_of(s, job->scratch + task * s->task_bytes);
  size_t begin, end, packed = SIZE_MAX;
  rg_threads_split(s->units, 1, s->tasks, task, &begin, &end);
  for (size_t unit = begin; unit < end; unit++) {
    const size_t item = unit / s->blocks, row = unit % s->blocks * s->block_rows;
    if (item != packed) pack_matrix(job, item, &r);
    packed = item;
    attend(job, item, row, s->rows - row < s->block_rows ? s->rows : row + s->block_rows, &r);
  }
}

static rango_status run(rg_exec *exec) {
  const attention_state *s = exec->state;
  rango_tensor *y;
  attention_job job = {.state = s,
                       .q = rg_exec_input(exec, 0)->data,
                       .k = rg_exec_input(exec, 1)->data,
                       .v = rg_exec_input(exec, 2)->data};
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &s->shape, &y));
  RG_TRY(rg_exec_scratch(exec, s->tasks * s->task_bytes, RG_OUT(&job.scratch)));
  if (rg_exec_input(exec, 3)) job.mask = rg_exec_input(exec, 3)->data;
  job.y = y->data;
  rg_threads_run(exec->threads, run_task, &job, s->tasks);
  return RANGO_OK;
}

/* ---- preparing ---- */

/* Blocks of rows, alike for any number of threads. */
static void divide(attention_state *s, size_t threads) {
  const size_t mr = s->kernels->mr;
  size_t tiles = BLOCK_BYTES / (mr * s->score_row * sizeof(float));
  tiles = tiles < 1 ? 1 : tiles > BLOCK_TILES ? BLOCK_TILES : tiles;
  s->blocks = rg_ceil_div(s->rows, tiles * mr);
  s->block_rows = rg_ceil_div(s->rows, s->blocks);
  s->blocks = rg_ceil_div(s->rows, s->block_rows);
  s->units = (size_t)s->a.items * s->blocks;
  const double work =
      (double)s->units * (double)s->block_rows * (double)s->keys * (double)(s->inner + s->columns) / SMALL_WORK;
  s->tasks = threads < s->units ? threads : s->units;
  if ((double)s->tasks > 1 + work) s->tasks = 1 + (size_t)work;
}

/* task_bytes is what room_of takes. */
static rango_status count_scratch(const rg_prepare *prepare, attention_state *s, size_t *bytes) {
  size_t scores, floats = 0;
  const bool fits = rg_pack_count(s->kernels, s->inner, s->keys, &s->k_floats) &&
                    rg_pack_count(s->kernels, s->keys, s->columns, &s->v_floats) &&
                    rg_mul_size(s->block_rows, s->score_row + s->inner + 1, &scores) &&
                    rg_add_size(s->k_floats, s->v_floats, &floats) && rg_add_size(floats, scores, &floats) &&
                    floats < SIZE_MAX / 8;
  s->task_bytes = floats * sizeof(float) + BLOCK_TILES * s->kernels->mr * sizeof(float *) + 6 * RG_ALIGNMENT;
  s->task_bytes = rg_round_up(s->task_bytes, RG_ALIGNMENT);
  RG_FAIL_IF(!fits || !rg_mul_size(s->task_bytes, s->tasks, bytes), RANGO_ERROR_LIMIT, "%s: the keys are too large",
             rg_node_text(prepare->node));
  return RANGO_OK;
}

static rango_status prepare_attention(rg_prepare *prepare) {
  if (!rg_cpu_is_plain(prepare)) return RANGO_OK;
  const rg_fact *mask = prepare->input_count > 3 ? prepare->inputs[3] : NULL;
  attention_state *s;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *s, RG_OUT(&s)));
  const char *error =
      rg_attention_read(prepare->node, prepare->inputs[0], prepare->inputs[1], prepare->inputs[2], mask, &s->a);
  RG_FAIL_IF(error != NULL, RANGO_ERROR_ARGUMENT, "%s: %s", rg_node_text(prepare->node), error);
  s->kernels = prepare->kernels;
  s->rows = (size_t)s->a.rows;
  s->keys = (size_t)s->a.keys;
  s->inner = (size_t)s->a.inner;
  s->columns = (size_t)s->a.columns;
  const bool empty = s->a.items == 0 || s->rows == 0 || s->keys == 0 || s->inner == 0 || s->columns == 0;
  const bool mask_fits = mask == NULL || column_step(s, &s->a.mask) == 1 || s->keys == 1;
  if (empty || !mask_fits || (column_step(s, &s->a.y) != 1 && s->columns > 1) || s->keys > SIZE_MAX / 64)
    return RANGO_OK;
  s->score_row = rg_round_up(s->keys, 16);
  divide(s, (size_t)(prepare->threads > 0 ? prepare->threads : 1));
  size_t bytes;
  RG_TRY(count_scratch(prepare, s, &bytes));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &s->shape));
  prepare->scratch_bytes += rg_round_up(bytes, RG_ALIGNMENT);
  prepare->state = s;
  prepare->run = run;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{RG_PRIVATE_DOMAIN, "Attention", prepare_attention, NULL}};
RG_CPU_EXPORT(attention, operators);
