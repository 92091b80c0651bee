/* Steps whose shapes are known only when they are reached: inferred and prepared then, and kept while nothing changes.
 */
#include "engine/session.h"

void rg_late_clear(rg_late *late) {
  rg_kernel_clear(&late->kernel);
  rg_arena_free(late->arena);
  *late = (rg_late){0};
}

static bool late_fits(const rg_late *late, const rg_step *step) {
  if (!late->arena) return false;
  for (int i = 0; i < step->node->input_count; i++)
    if (!rg_key_matches(&late->keys[i], step->inputs[i])) return false;
  return true;
}

/* Facts of the values as they are. Constants keep their tensor, so that packed weights are found again. */
static rango_status input_facts(const rg_step *step, rg_late *late, rg_fact *facts, const rg_fact **list) {
  const rg_node *node = step->node;
  for (int i = 0; i < node->input_count; i++) {
    RG_TRY(rg_key_set(&late->keys[i], late->arena, step->inputs[i], true));
    if (!step->inputs[i]) continue;
    const rango_tensor *constant = rg_value_constant(node->inputs[i]);
    if (constant)
      rg_fact_from_tensor(&facts[i], constant);
    else
      rg_key_fact(&late->keys[i], &facts[i]);
    list[i] = &facts[i];
  }
  return RANGO_OK;
}

static bool all_concrete(const rg_fact *const *facts, int count) {
  for (int i = 0; i < count; i++)
    if (facts[i] && (!rg_fact_is_concrete(facts[i]) || facts[i]->type == RANGO_STRING)) return false;
  return true;
}

static rango_status prepare(rango_session *session, rg_step *step, rg_late *late) {
  const rg_node *node = step->node;
  int ins = node->input_count, outs = node->output_count;
  rg_fact *facts;
  const rg_fact **in_list;
  rg_fact **out_list;
  RG_TRY(rg_arena_create(&late->arena));
  RG_TRY(rg_arena_calloc(late->arena, (size_t)ins + 1, sizeof *late->keys, RG_OUT(&late->keys)));
  RG_TRY(rg_arena_calloc(late->arena, (size_t)(ins + outs) + 1, sizeof *facts, RG_OUT(&facts)));
  RG_TRY(rg_arena_calloc(late->arena, (size_t)ins + 1, sizeof *in_list, RG_OUT(&in_list)));
  RG_TRY(rg_arena_calloc(late->arena, (size_t)outs + 1, sizeof *out_list, RG_OUT(&out_list)));
  RG_TRY(input_facts(step, late, facts, in_list));
  if (!session->kernels || !step->op->infer || !all_concrete(in_list, ins)) return RANGO_OK;
  for (int i = 0; i < outs; i++) {
    facts[ins + i].rank = -1;
    out_list[i] = node->outputs[i] ? &facts[ins + i] : NULL;
  }
  rg_infer infer = {.node = node,
                    .input_count = ins,
                    .output_count = outs,
                    .inputs = in_list,
                    .outputs = out_list,
                    .arena = late->arena};
  RG_TRY(step->op->infer(&infer));
  const rg_fact *const *out_facts = (const rg_fact *const *)out_list;
  if (!all_concrete(out_facts, outs)) return RANGO_OK;
  late->macs = step->op->macs ? step->op->macs(node, in_list, out_facts) : 0;
  return rg_kernel_prepare(session, node, in_list, out_facts, late->arena, &late->kernel);
}

rango_status rg_late_prepare(rango_session *session, rg_step *step) {
  rg_late *late = step->late;
  if (late_fits(late, step)) return RANGO_OK;
  rg_late_clear(late);
  rango_status status = prepare(session, step, late);
  if (status != RANGO_OK) rg_late_clear(late);
  return status;
}
