/*
 * The engine: rango_session. From a model and options to a plan and a run.
 *
 *   rango_model ── (once, shared by its sessions) ──▶ program: canonical + lowered copy of the graph
 *   program + input shapes ──▶ plan: facts, one prepared step a node, one arena      (plans are cached in the session)
 *   plan + input tensors ──▶ run ──▶ output tensors
 */
#ifndef RG_ENGINE_ENGINE_H
#define RG_ENGINE_ENGINE_H

#include "cpu/cpu.h"
#include "gpu/gpu.h"
#include "passes/passes.h"

/* What a model keeps for its sessions (rango_model.runtime): programs by kind, packed weights. Made on first use. */
typedef struct rg_program {
  rango_model *model; /* reference kind: canonical only. CPU kind: canonical and lowered */
} rg_program;

/* Both live as long as `model`. RANGO_ERROR_UNSUPPORTED names the first operator that Rango lacks. */
rango_status rg_program_get(const rango_model *model, rango_device device, const rg_program **out);
rango_status rg_program_packed(const rango_model *model, rg_packed_cache **out);
/* The model's weights on a device: one set for all sessions that use it there, freed when the last one closes it. */
rango_status rg_program_weights_open(const rango_model *model, const rg_gpu_library *library, rg_gpu_device *device,
                                     rg_gpu_weights **out);
void rg_program_weights_close(const rango_model *model, rg_gpu_weights *weights);

#endif
