#include "passes/row.h"

#define ROUNDS_MAX 32 /* chains settle in a few */

rango_status rg_passes_canonical(rango_model *model) {
  static const rg_pass repeated[] = {
      rg_pass_fold_constants,  rg_pass_inline_branches, rg_pass_settle_reshapes, rg_pass_remove_identities,
      rg_pass_fold_batch_norm, rg_pass_fold_bias_add,   rg_pass_merge_constants, rg_pass_remove_dead,
  };
  int changes = 0;
  RG_TRY(rg_ops_resolve(model, false));
  RG_TRY(rg_pass_constant_inputs(model, &changes));
  RG_TRY(rg_pass_inline_functions(model, &changes));
  RG_TRY(rg_ops_resolve(model, false)); /* what attributes of calls have filled in is checked now */
  return rg_passes_row(model, repeated, sizeof repeated / sizeof *repeated, ROUNDS_MAX);
}
