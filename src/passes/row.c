/* Passes in a row, which share what inference says while none of them changes the model. */
#include "passes/row.h"

rango_status rg_pass_facts_create(rango_model *model, rg_pass_facts *out) {
  *out = (rg_pass_facts){.model = model, .value_count = model->value_count};
  if (model->kept_facts && *model->kept_facts) {
    out->facts = *model->kept_facts;
    *model->kept_facts = NULL;
    return RANGO_OK;
  }
  return rg_facts_create(model, NULL, 0, NULL, 0, &out->facts);
}

void rg_pass_facts_clear(rg_pass_facts *facts) {
  rango_model *model = facts->model;
  if (model->kept_facts && model->value_count == facts->value_count)
    *model->kept_facts = facts->facts;
  else
    rg_facts_free(facts->facts);
  *facts = (rg_pass_facts){0};
}

const rg_fact *rg_pass_fact(const rg_pass_facts *facts, const rg_value *value) {
  return value && value->id < facts->value_count ? rg_facts_of(facts->facts, value) : NULL;
}

rango_status rg_passes_row(rango_model *model, const rg_pass *passes, size_t count, size_t rounds) {
  rg_facts *kept = NULL;
  rango_status status = RANGO_OK;
  size_t quiet = 0; /* passes since one changed the model: each has seen it as it is once all have been quiet */
  model->kept_facts = &kept;
  for (size_t i = 0; status == RANGO_OK && quiet < count && i < rounds * count; i++) {
    int changes = 0;
    status = passes[i % count](model, &changes);
    quiet = changes ? 0 : quiet + 1;
    if (!changes) continue;
    rg_facts_free(kept);
    kept = NULL;
  }
  model->kept_facts = NULL;
  rg_facts_free(kept);
  return status;
}
