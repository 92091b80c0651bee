/* Passes in a row, and what inference tells them. */
#ifndef RG_PASSES_ROW_H
#define RG_PASSES_ROW_H

#include "passes/passes.h"

/* What inference knows, for values that were there when it ran; new ones have no fact (NULL). */
typedef struct rg_pass_facts {
  rango_model *model;
  rg_facts *facts;
  int value_count;
} rg_pass_facts;

/* From the declarations. In a row of passes the last one's are used again, if it changed nothing. */
rango_status rg_pass_facts_create(rango_model *model, rg_pass_facts *out);
void rg_pass_facts_clear(rg_pass_facts *facts);
const rg_fact *rg_pass_fact(const rg_pass_facts *facts, const rg_value *value);

/* Runs all passes again and again until none changes the model any more, at most `rounds` times. */
rango_status rg_passes_row(rango_model *model, const rg_pass *passes, size_t count, size_t rounds);

#endif
