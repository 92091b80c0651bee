#include "passes/passes.h"

#define ROUNDS_MAX 32 /* chains settle in a few */
#define PASSES     (sizeof repeated / sizeof *repeated)

rango_status rg_passes_canonical(rango_model *model) {
  static const rg_pass repeated[] = {
      rg_pass_fold_constants,  rg_pass_inline_branches, rg_pass_settle_reshapes, rg_pass_remove_identities,
      rg_pass_fold_batch_norm, rg_pass_fold_bias_add,   rg_pass_merge_constants, rg_pass_remove_dead,
  };
  int changes = 0;
  size_t quiet = 0; /* passes since one changed the model: each has seen it as it is once all have been quiet */
  RG_TRY(rg_ops_resolve(model, false));
  RG_TRY(rg_pass_constant_inputs(model, &changes));
  RG_TRY(rg_pass_inline_functions(model, &changes));
  RG_TRY(rg_ops_resolve(model, false)); /* what attributes of calls have filled in is checked now */
  for (size_t i = 0; quiet < PASSES && i < ROUNDS_MAX * PASSES; i++) {
    changes = 0;
    RG_TRY(repeated[i % PASSES](model, &changes));
    quiet = changes ? 0 : quiet + 1;
  }
  return RANGO_OK;
}
