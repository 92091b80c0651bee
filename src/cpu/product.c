/* See product.h. */
#include "cpu/product.h"

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

void rg_product_run(const rg_gemm *gemm, const rg_product *product, rg_activation activation, rango_threads *threads,
                    void *scratch) {
  const rg_gemm_args args = rg_product_args(gemm, product, activation);
  rg_gemm_run(gemm, &args, threads, scratch);
}
