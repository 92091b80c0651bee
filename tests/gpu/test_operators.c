/* Every operator of the GPU room, on every device, against its scalar reference. */
#include "cases_attention.h"
#include "cases_elementwise.h"
#include "cases_image.h"
#include "cases_move.h"
#include "cases_product.h"
#include "cases_random.h"
#include "cases_rows.h"
#include "cases_winograd.h"

/* ---- all of them ---- */

#define LIST(family) &rg_gpu_family_##family,
static const rg_gpu_family *const families[] = {RG_GPU_FAMILIES(LIST) NULL};

static void test_every_operator_has_a_case(void **state) {
  for (int f = 0; families[f]; f++)
    for (size_t i = 0; i < families[f]->count; i++) {
      const rg_gpu_operator *entry = &families[f]->operators[i];
      bool seen = false;
      for (int k = 0; k < gpu_seen_count; k++)
        seen = seen || (strcmp(gpu_seen[k][0], entry->domain) == 0 && strcmp(gpu_seen[k][1], entry->op) == 0);
      if (!seen) fail_msg("operator '%s.%s' of the GPU room has no case", entry->domain, entry->op);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_broadcast),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_compare),
      cmocka_unit_test(test_logic),
      cmocka_unit_test(test_where),
      cmocka_unit_test(test_functions),
      cmocka_unit_test(test_special_values),
      cmocka_unit_test(test_gelu_clip_pow),
      cmocka_unit_test(test_many_inputs),
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_cast),
      cmocka_unit_test(test_transpose),
      cmocka_unit_test(test_concat_split),
      cmocka_unit_test(test_slice),
      cmocka_unit_test(test_expand_tile),
      cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_views),
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_pad),
      cmocka_unit_test(test_reduce),
      cmocka_unit_test(test_global_pools),
      cmocka_unit_test(test_arg),
      cmocka_unit_test(test_softmax),
      cmocka_unit_test(test_layer_norm),
      cmocka_unit_test(test_channel_norms),
      cmocka_unit_test(test_lp_norm),
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_resize),
      cmocka_unit_test(test_gather),
      cmocka_unit_test(test_lookup),
      cmocka_unit_test(test_attention),
      cmocka_unit_test(test_attention_hidden),
      cmocka_unit_test(test_attention_too_wide),
      cmocka_unit_test(test_nan_of_two),
      cmocka_unit_test(test_reduce_nan),
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_low_rank_dense),
      cmocka_unit_test(test_gemm_matmul),
      cmocka_unit_test(test_conv),
      cmocka_unit_test(test_conv_residual),
      cmocka_unit_test(test_low_rank_conv),
      cmocka_unit_test(test_winograd),
      cmocka_unit_test(test_winograd_in_pieces),
      cmocka_unit_test(test_low_rank_winograd),
      cmocka_unit_test(test_winograd_choice),
      cmocka_unit_test(test_random_broadcast),
      cmocka_unit_test(test_random_moves),
      cmocka_unit_test(test_random_joins),
      cmocka_unit_test(test_random_reductions),
      cmocka_unit_test(test_many_rows),
      cmocka_unit_test(test_every_operator_has_a_case),
  };
  if (gpu_open_all(NULL) != 0) {
    fprintf(stderr, "%s\n", rango_error_message());
    return 1;
  }
  if (gpu_device_count == 0) {
    printf("SKIP: no GPU here\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, gpu_close_all);
}
