/* See right.h. */
#include "cpu/right.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/threads.h"

rg_right rg_right_matrix(const rg_prepare *prepare, int input, bool transposed) {
  const rg_fact *w = prepare->inputs[input];
  const size_t k = (size_t)w->dims[transposed ? 1 : 0], n = (size_t)w->dims[transposed ? 0 : 1];
  return (rg_right){.kernels = prepare->kernels,
                    .input = input,
                    .matrices = 1,
                    .taps = 1,
                    .k = k,
                    .n = n,
                    .row = transposed ? 1 : n,
                    .column = transposed ? k : 1,
                    .scale = 1.0f};
}

static void pack_panels(const rg_right *right, const float *from, size_t matrix, size_t begin, size_t end, float *to) {
  rg_pack_view view = {.row = right->row,
                       .column = right->column,
                       .k = right->k,
                       .n = right->n,
                       .scale = right->scale,
                       .total = right->taps * right->k,
                       .narrow = rg_pack_is_narrow(right->kernels, right->taps * right->k, right->n)};
  for (size_t tap = 0; tap < right->taps; tap++) {
    const size_t at = right->tap_order != NULL ? right->tap_order[tap] : tap;
    view.b = from + matrix * right->matrix_step + at * right->tap_step;
    view.at = tap * right->k;
    rg_pack_panel_range(right->kernels, &view, begin, end, to + matrix * right->matrix_floats);
  }
}

/* Columns that lie behind each other are given back to the system while packing goes on, so that a large weight is
 * never held twice. */
#define FORGET_BYTES ((size_t)1 << 20)

/* The tensor of merged groups with the zeros beside their blocks: [matrices * n][k][taps], to be freed. */
static rango_status spread_groups(const rg_right *right, const rango_tensor *weight, float **out) {
  const size_t inputs = right->k / right->merged, outputs = right->n / right->merged, block = inputs * right->taps;
  const uint8_t *from = weight->data;
  RG_TRY(rg_calloc(right->matrices * right->n * right->k * right->taps, sizeof(float), RG_OUT(out)));
  for (size_t o = 0; o < right->matrices * right->n; o++) {
    const size_t at = o * right->k * right->taps + o / outputs % right->merged * block;
    memcpy(*out + at, from + o * block * sizeof(float), block * sizeof(float));
  }
  return RANGO_OK;
}

static rango_status pack_groups(void *to, const rango_tensor *weight, const void *argument) {
  const rg_right *right = argument;
  float *from;
  RG_TRY(spread_groups(right, weight, &from));
  for (size_t matrix = 0; matrix < right->matrices; matrix++)
    pack_panels(right, from, matrix, 0, rg_pack_panels(right->kernels, right->n), to);
  rg_free(from);
  return RANGO_OK;
}

static rango_status pack_constant(void *to, const rango_tensor *weight, const void *argument) {
  const rg_right *right = argument;
  const bool behind = right->column > right->row && right->column >= right->k;
  const size_t panels = rg_pack_panels(right->kernels, right->n), panel = right->kernels->nr * right->column;
  const uint8_t *data = weight->data;
  for (size_t matrix = 0; matrix < right->matrices; matrix++) {
    size_t begin = matrix * right->matrix_step, done = begin; /* floats */
    for (size_t p = 0; p < panels; p++) {
      pack_panels(right, weight->data, matrix, p, p + 1, to);
      if (!behind || weight->buffer == NULL || (begin + p * panel - done) * sizeof(float) < FORGET_BYTES) continue;
      rg_buffer_forget_pages(weight->buffer, data + done * sizeof(float), (begin + p * panel - done) * sizeof(float));
      done = begin + p * panel;
    }
  }
  return RANGO_OK;
}

static rango_status packed_bytes(const rg_right *right, size_t *out) {
  RG_FAIL_IF(!rg_mul_size(right->matrices, right->matrix_floats, out) || !rg_mul_size(*out, sizeof(float), out),
             RANGO_ERROR_LIMIT, "packed weights are too large");
  return RANGO_OK;
}

/* FNV-1a of tap_order. */
static uint64_t order_hash(const rg_right *right) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t tap = 0; right->tap_order != NULL && tap < right->taps; tap++)
    hash = (hash ^ right->tap_order[tap]) * 0x100000001b3u;
  return hash;
}

rango_status rg_right_prepare(rg_right *right, rg_prepare *prepare) {
  size_t bytes, total;
  right->constant = NULL;
  right->matrix_floats = right->matrix_step;
  if (right->unpacked) return RANGO_OK;
  RG_FAIL_IF(!rg_mul_size(right->taps, right->k, &total) ||
                 !rg_pack_count(right->kernels, total, right->n, &right->matrix_floats),
             RANGO_ERROR_LIMIT, "packed weights are too large");
  if (rg_pack_is_narrow(right->kernels, total, right->n)) right->matrix_floats = total * right->n;
  RG_TRY(packed_bytes(right, &bytes));
  const rango_tensor *weight = prepare->inputs[right->input]->constant;
  if (weight == NULL) {
    prepare->scratch_bytes += rg_round_up(bytes, RG_ALIGNMENT);
    return RANGO_OK;
  }
  char key[240];
  snprintf(key, sizeof key, "panels %zu %zu: %zu %zu %zu %zu by %zu %zu %zu %zu, %a, order %016" PRIx64,
           right->kernels->mr, right->kernels->nr, right->matrices, right->taps, right->k, right->n, right->matrix_step,
           right->tap_step, right->row, right->column, (double)right->scale, order_hash(right));
  rg_packed *packed;
  RG_TRY(rg_packed_get(prepare->cache, weight, key, bytes, right->merged > 1 ? pack_groups : pack_constant, right,
                       &packed));
  prepare->packed[prepare->packed_count++] = packed;
  right->constant = rg_packed_data(packed);
  return RANGO_OK;
}

typedef struct job {
  const rg_right *right;
  const float *from;
  float *to;
  size_t tasks;
} job;

static void pack_task(void *argument, size_t task) {
  const job *work = argument;
  const rg_right *right = work->right;
  const size_t panels = rg_pack_panels(right->kernels, right->n);
  size_t begin, end;
  rg_threads_split(right->matrices * panels, 1, work->tasks, task, &begin, &end);
  for (size_t unit = begin; unit < end; unit++)
    pack_panels(right, work->from, unit / panels, unit % panels, unit % panels + 1, work->to);
}

rango_status rg_right_get(const rg_right *right, rg_exec *exec, const float **out) {
  if (right->constant != NULL || right->unpacked) {
    *out = right->unpacked ? rg_exec_input(exec, right->input)->data : right->constant;
    return RANGO_OK;
  }
  size_t bytes;
  float *to;
  RG_TRY(packed_bytes(right, &bytes));
  RG_TRY(rg_exec_scratch(exec, bytes, RG_OUT(&to)));
  job work = {right, rg_exec_input(exec, right->input)->data, to, 1};
  if (exec->threads != NULL && bytes > 65536) work.tasks = (size_t)rango_threads_count(exec->threads);
  rg_threads_run(exec->threads, pack_task, &work, work.tasks);
  *out = to;
  return RANGO_OK;
}
