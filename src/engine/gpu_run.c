/* Running a plan's segments on a GPU: each is recorded once, by the first run, and then replayed. */
#include <string.h>

#include "base/checked.h"
#include "engine/session.h"

/* ---- recording ---- */

static rg_gpu_part arena_part(const rg_gpu_plan *gpu, size_t offset, size_t bytes) {
  return (rg_gpu_part){gpu->arena, offset, rg_round_up(bytes > 0 ? bytes : 1, RG_GPU_ALIGNMENT)};
}

static rango_status record_step(const rg_gpu_plan *gpu, const rg_step *step, rg_gpu_recorder *recorder) {
  const rg_node *node = step->node;
  const size_t count = (size_t)node->input_count + (size_t)node->output_count;
  rg_gpu_part *parts;
  RG_TRY(rg_calloc(count + 1, sizeof *parts, RG_OUT(&parts)));
  rg_gpu_places places = {.inputs = parts,
                          .outputs = parts + node->input_count,
                          .scratch = arena_part(gpu, step->scratch_offset, step->gpu->scratch_bytes)};
  for (int i = 0; i < node->input_count; i++) {
    if (!step->inputs[i]) continue;
    const rg_slot *slot = (const rg_slot *)((const char *)step->inputs[i] - offsetof(rg_slot, val));
    parts[i] = arena_part(gpu, slot->device_offset, rg_gpu_plan_bytes(gpu, &slot->val.tensor));
  }
  for (int i = 0; i < node->output_count; i++)
    if (step->outputs[i])
      parts[node->input_count + i] =
          arena_part(gpu, step->outputs[i]->device_offset, rg_gpu_plan_bytes(gpu, &step->outputs[i]->val.tensor));
  rango_status status = RANGO_OK;
  for (int i = 0; i < step->gpu->task_count && status == RANGO_OK; i++)
    status = gpu->library->record_task(recorder, &step->gpu->tasks[i], &places);
  rg_free(parts);
  return status;
}

/* Memory that the CPU sees too, where the arena isn't such: filled before and emptied after the list. */
static rango_status open_staging(const rg_gpu_plan *gpu, rg_transfers *transfers, rg_gpu_memory memory) {
  if (gpu->arena->mapped || transfers->count == 0) return RANGO_OK;
  const rg_transfer *last = &transfers->items[transfers->count - 1];
  return gpu->device->backend->buffer_create(
      gpu->device, memory, last->staged + rg_round_up(last->bytes > 0 ? last->bytes : 1, RG_GPU_ALIGNMENT),
      &transfers->staging);
}

static rango_status record_transfers(const rg_gpu_plan *gpu, const rg_transfers *transfers, bool in,
                                     rg_gpu_recorder *recorder) {
  for (int i = 0; i < transfers->count && transfers->staging; i++) {
    const rg_transfer *transfer = &transfers->items[i];
    if (transfer->bytes == 0) continue;
    rg_gpu_part arena = {gpu->arena, transfer->offset, transfer->bytes},
                staging = {transfers->staging, transfer->staged, transfer->bytes};
    RG_TRY(gpu->library->record_copy(recorder, in ? staging : arena, in ? arena : staging));
  }
  return RANGO_OK;
}

static rango_status record(const rango_session *session, rg_plan *plan, rg_gpu_segment *segment) {
  rg_gpu_plan *gpu = plan->gpu;
  const bool timed = session->profile || session->on_node;
  rg_gpu_recorder recorder = {0};
  rango_status status;
  RG_TRY_DONE(open_staging(gpu, &segment->uploads, RG_GPU_UPLOAD));
  RG_TRY_DONE(open_staging(gpu, &segment->downloads, RG_GPU_DOWNLOAD));
  RG_TRY_DONE(record_transfers(gpu, &segment->uploads, true, &recorder));
  for (int i = segment->first; i <= segment->last; i++) {
    if (timed) RG_TRY_DONE(gpu->library->record_timestamp(&recorder));
    RG_TRY_DONE(record_step(gpu, &plan->steps[i], &recorder));
  }
  if (timed) RG_TRY_DONE(gpu->library->record_timestamp(&recorder));
  RG_TRY_DONE(record_transfers(gpu, &segment->downloads, false, &recorder));
  if (timed)
    RG_TRY_DONE(rg_arena_calloc(plan->memory, (size_t)(segment->last - segment->first) + 2, sizeof *segment->times,
                                RG_OUT(&segment->times)));
  status =
      gpu->device->backend->list_create(gpu->device, recorder.commands.items, recorder.commands.count, &segment->list);
done:
  gpu->library->recorder_clear(&recorder);
  return status;
}

/* All of a plan's segments at the first run: pipelines are made here. After a failure the next run begins anew. */
static rango_status open_plan(const rango_session *session, rg_plan *plan) {
  rg_gpu_plan *gpu = plan->gpu;
  RG_TRY(gpu->device->backend->buffer_create(gpu->device, RG_GPU_LOCAL, gpu->arena_bytes, &gpu->arena));
  rango_status status = RANGO_OK;
  for (int i = 0; i < gpu->segment_count && status == RANGO_OK; i++) status = record(session, plan, &gpu->segments[i]);
  if (status != RANGO_OK) rg_gpu_plan_close(gpu);
  return status;
}

/* ---- copying ---- */

static uint8_t *staged_at(const rg_gpu_plan *gpu, const rg_transfers *transfers, const rg_transfer *transfer) {
  return transfers->staging ? (uint8_t *)transfers->staging->mapped + transfer->staged
                            : (uint8_t *)gpu->arena->mapped + transfer->offset;
}

static void copy_in(const rg_gpu_plan *gpu, const rg_transfers *transfers) {
  for (int i = 0; i < transfers->count; i++) {
    const rg_transfer *transfer = &transfers->items[i];
    const rango_tensor *tensor = &transfer->slot->val.tensor;
    uint8_t *to = staged_at(gpu, transfers, transfer);
    if (gpu->half && tensor->type == RANGO_FLOAT32)
      rg_narrow(RANGO_FLOAT16, tensor->data, (uint16_t *)to, tensor->bytes / sizeof(float));
    else if (transfer->bytes > 0)
      memcpy(to, tensor->data, transfer->bytes);
  }
}

static void copy_out(const rg_gpu_plan *gpu, const rg_transfers *transfers) {
  for (int i = 0; i < transfers->count; i++) {
    const rg_transfer *transfer = &transfers->items[i];
    const rango_tensor *tensor = &transfer->slot->val.tensor;
    const uint8_t *from = staged_at(gpu, transfers, transfer);
    if (gpu->half && tensor->type == RANGO_FLOAT32)
      rg_widen(RANGO_FLOAT16, (const uint16_t *)from, tensor->data, tensor->bytes / sizeof(float));
    else if (transfer->bytes > 0)
      memcpy(tensor->data, from, transfer->bytes);
  }
}

/* ---- running ---- */

static rango_status report(rango_session *session, const rg_plan *plan, const rg_gpu_segment *segment, double begin) {
  const rg_gpu_plan *gpu = plan->gpu;
  if (!segment->times) return RANGO_OK;
  const int count = segment->last - segment->first + 1;
  RG_TRY(gpu->device->backend->list_times(gpu->device, segment->list, segment->times, (size_t)count + 1));
  for (int i = 0; i < count; i++)
    rg_report_step(session, &plan->steps[segment->first + i], gpu->device->backend->name, begin + segment->times[i],
                   segment->times[i + 1] - segment->times[i], plan->steps[segment->first + i].macs);
  return RANGO_OK;
}

rango_status rg_gpu_segment_run(rango_session *session, rg_plan *plan, int first, int *last) {
  rg_gpu_plan *gpu = plan->gpu;
  rg_gpu_segment *segment = gpu->segments;
  if (!gpu->arena) RG_TRY(open_plan(session, plan));
  while (segment->first != first) segment++;
  *last = segment->last;
  const double begin = segment->times ? rg_profile_clock() : 0;
  copy_in(gpu, &segment->uploads);
  RG_TRY(gpu->device->backend->list_run(gpu->device, segment->list));
  copy_out(gpu, &segment->downloads);
  return report(session, plan, segment, begin);
}
