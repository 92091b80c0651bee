#include "passes/passes.h"

#define ROUNDS_MAX 32 /* every round but the last removes something; chains settle in a few */

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
  for (int round = 0; round < ROUNDS_MAX; round++) {
    changes = 0;
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) RG_TRY(repeated[i](model, &changes));
    if (!changes) break;
  }
  return RANGO_OK;
}
