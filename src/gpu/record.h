/* Lists of commands being made. */
#ifndef RG_GPU_RECORD_H
#define RG_GPU_RECORD_H

#include "gpu/gpu.h"

rango_status rg_gpu_record_task(rg_gpu_recorder *recorder, const rg_gpu_task *task, const rg_gpu_places *places);
rango_status rg_gpu_record_copy(rg_gpu_recorder *recorder, rg_gpu_part from, rg_gpu_part to);
rango_status rg_gpu_record_timestamp(rg_gpu_recorder *recorder);
void rg_gpu_recorder_clear(rg_gpu_recorder *recorder);

#endif
