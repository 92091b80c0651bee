/* See product.h. */
#include "cpu/product.h"

#include <limits.h>

#include "base/threads.h"

bool rg_cpu_is_plain(const rg_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++) {
    const rg_fact *fact = prepare->inputs[i];
    if (fact == NULL) continue;
    if (!rg_fact_is_concrete(fact) || fact->type != RANGO_FLOAT32) return false;
    if (prepare->node->inputs[i]->layout != RG_ROW_MAJOR) return false;
  }
  return prepare->output_count > 0 && prepare->outputs[0] != NULL && rg_fact_is_concrete(prepare->outputs[0]) &&
         prepare->outputs[0]->type == RANGO_FLOAT32 && prepare->node->outputs[0]->layout == RG_ROW_MAJOR;
}

size_t rg_cpu_count(const rg_fact *fact, int begin, int end) {
  size_t count = 1;
  for (int i = begin; i < end; i++) count *= (size_t)fact->dims[i];
  return count;
}

static void rows(const void *source, size_t item, size_t begin, size_t count, float *scratch, const float **pointers) {
  const rg_product *product = source;
  const float *a = product->a + (product->a_items != NULL ? product->a_items[item] : 0) + begin * product->a_row;
  if (product->a_column == 1) {
    for (size_t i = 0; i < count; i++) pointers[i] = a + i * product->a_row;
    return;
  }
  for (size_t i = 0; i < count; i++) {
    float *to = scratch + i * product->k;
    for (size_t q = 0; q < product->k; q++) to[q] = a[i * product->a_row + q * product->a_column];
    pointers[i] = to;
  }
}

static void item_of(const void *source, size_t item, rg_gemm_item *out) {
  const rg_product *product = source;
  out->b = product->b + (product->b_items != NULL ? product->b_items[item] : 0);
  out->c = product->c + item * product->c_item;
  out->bias = product->bias;
  out->first_row = product->first_row;
  out->residual = product->residual != NULL ? product->residual + item * product->c_item : NULL;
}

rg_gemm_args rg_product_args(const rg_gemm *gemm, const rg_product *product, rg_activation activation) {
  return (rg_gemm_args){.source = product,
                        .rows = rows,
                        .item = item_of,
                        .c_row = gemm->n,
                        .c_column = 1,
                        .residual_row = gemm->n,
                        .residual_column = 1,
                        .activation = activation};
}

/* ---- by the kernel table's sgemm ---- */

/* Multiply-adds, and rows, columns and inner dimension, from which a BLAS is worth what lies around its call. Not
 * measured on Apple's CPUs. */
#define SGEMM_WORK 4e6
#define SGEMM_SIDE 16

bool rg_product_takes_sgemm(const rg_prepare *prepare, const rg_right *right, size_t m) {
  const rango_tensor *constant = prepare->inputs[right->input]->constant;
  const size_t k = right->k, n = right->n;
  const size_t least = SGEMM_SIDE, most = INT_MAX;
  return prepare->kernels->sgemm != NULL && (double)m * (double)n * (double)k >= SGEMM_WORK && m >= least &&
         m <= most && n >= least && n <= most && k >= least && k <= most &&
         (constant == NULL || (uintptr_t)constant->data % sizeof(float) == 0);
}

typedef struct sgemm_job {
  const rg_gemm *gemm;
  const rg_product *product;
  rg_unary_call call;
  size_t tasks;
} sgemm_job;

/* c = bias + residual. */
static void begin_rows(void *argument, size_t task) {
  const sgemm_job *job = argument;
  const rg_product *product = job->product;
  const size_t n = job->gemm->n;
  size_t begin, end;
  rg_threads_split(job->gemm->items * job->gemm->m, 1, job->tasks, task, &begin, &end);
  for (size_t at = begin * n; at < end * n; at += n)
    for (size_t j = 0; j < n; j++)
      product->c[at + j] = (product->bias != NULL ? product->bias[j] : 0.0f) +
                           (product->residual != NULL ? product->residual[at + j] : 0.0f);
}

static void end_rows(void *argument, size_t task) {
  const sgemm_job *job = argument;
  const size_t n = job->gemm->n;
  size_t begin, end;
  rg_threads_split(job->gemm->items * job->gemm->m, 1, job->tasks, task, &begin, &end);
  float *c = job->product->c + begin * n;
  job->gemm->kernels->vector->unary(job->call.op, job->call.alpha, job->call.beta, c, c, (end - begin) * n);
}

static void run_sgemm(const rg_gemm *gemm, const rg_product *product, rg_activation activation,
                      rango_threads *threads) {
  const rg_right *right = product->unpacked;
  const bool added = product->bias != NULL || product->residual != NULL;
  sgemm_job job = {gemm, product, rg_unary_of(activation), threads != NULL ? (size_t)rango_threads_count(threads) : 1};
  if (added) rg_threads_run(threads, begin_rows, &job, job.tasks);
  for (size_t item = 0; item < gemm->items; item++)
    gemm->kernels->sgemm(&(rg_sgemm){
        .m = gemm->m,
        .n = gemm->n,
        .k = gemm->k,
        .a = product->a + (product->a_items != NULL ? product->a_items[item] : 0),
        .b = product->b + (product->b_items != NULL ? product->b_items[item] : 0),
        .a_transposed = product->a_column != 1,
        .b_transposed = right->column != 1,
        .a_row = product->a_column != 1 ? product->a_column : product->a_row,
        .b_row = right->column != 1 ? right->column : right->row,
        .alpha = right->scale,
        .beta = added ? 1.0f : 0.0f,
        .c = product->c + item * product->c_item,
    });
  if (activation.kind != RG_ACT_NONE) rg_threads_run(threads, end_rows, &job, job.tasks);
}

void rg_product_run(const rg_gemm *gemm, const rg_product *product, rg_activation activation, rango_threads *threads,
                    void *scratch) {
  if (product->unpacked != NULL) {
    run_sgemm(gemm, product, activation, threads);
    return;
  }
  const rg_gemm_args args = rg_product_args(gemm, product, activation);
  rg_gemm_run(gemm, &args, threads, scratch);
}
