/* From tasks to commands: operands become parts of buffers, and barriers stand where one command touches what another
 * wrote since the last one. */
#include "gpu/record.h"

#include "base/checked.h"
#include "gpu/weights.h"

static bool overlap(const rg_gpu_part *a, const rg_gpu_part *b) {
  return a->buffer == b->buffer && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static bool conflicts(const rg_gpu_recorder *recorder, const rg_gpu_part *part, bool written) {
  for (size_t i = 0; i < recorder->touched.count; i++)
    if ((written || recorder->touched.items[i].written) && overlap(&recorder->touched.items[i].part, part)) return true;
  return false;
}

static rango_status add(rg_gpu_recorder *recorder, const rg_gpu_command *command) {
  RG_TRY(RG_RESERVE(&recorder->commands, 1));
  recorder->commands.items[recorder->commands.count++] = *command;
  return RANGO_OK;
}

static rango_status touch(rg_gpu_recorder *recorder, const rg_gpu_part *part, bool written) {
  RG_TRY(RG_RESERVE(&recorder->touched, 1));
  recorder->touched.items[recorder->touched.count++] = (rg_gpu_touch){*part, written};
  return RANGO_OK;
}

/* The command, behind a barrier where it needs one. `written` a bit a part. */
static rango_status add_ordered(rg_gpu_recorder *recorder, const rg_gpu_command *command, unsigned written) {
  bool conflict = false;
  for (int i = 0; i < command->part_count; i++)
    conflict = conflict || conflicts(recorder, &command->parts[i], written >> i & 1);
  if (conflict) {
    RG_TRY(add(recorder, &(rg_gpu_command){.kind = RG_GPU_BARRIER}));
    recorder->touched.count = 0;
  }
  for (int i = 0; i < command->part_count; i++) RG_TRY(touch(recorder, &command->parts[i], written >> i & 1));
  return add(recorder, command);
}

static rg_gpu_part part_of(const rg_gpu_operand *operand, const rg_gpu_places *places) {
  switch (operand->kind) {
  case RG_GPU_INPUT:
    return places->inputs[operand->index];
  case RG_GPU_OUTPUT:
    return places->outputs[operand->index];
  case RG_GPU_WEIGHT:
    return rg_gpu_weight_part(operand->weight);
  case RG_GPU_SCRATCH:
    return (rg_gpu_part){places->scratch.buffer, places->scratch.offset + operand->offset, operand->bytes};
  case RG_GPU_NONE:
    break;
  }
  return (rg_gpu_part){0};
}

rango_status rg_gpu_record_task(rg_gpu_recorder *recorder, const rg_gpu_task *task, const rg_gpu_places *places) {
  const rg_gpu_shader *shader = &rg_gpu_shaders[task->shader];
  rg_gpu_command command = {.kind = RG_GPU_DISPATCH,
                            .shader = task->shader,
                            .part_count = shader->binding_count,
                            .push_words = shader->push_words};
  unsigned written = 0;
  rg_gpu_part any = {0}; /* stands where nothing is bound */
  for (int i = 0; i < shader->binding_count; i++) {
    command.parts[i] = part_of(&task->operands[i], places);
    if (task->operands[i].written) written |= 1u << i;
    if (task->operands[i].kind != RG_GPU_NONE && !any.buffer) any = command.parts[i];
  }
  for (int i = 0; i < shader->binding_count; i++)
    if (task->operands[i].kind == RG_GPU_NONE) command.parts[i] = any;
  for (int i = 0; i < 3; i++) command.groups[i] = task->groups[i];
  for (int i = 0; i < shader->push_words; i++) command.push[i] = task->push[i];
  return add_ordered(recorder, &command, written);
}

rango_status rg_gpu_record_copy(rg_gpu_recorder *recorder, rg_gpu_part from, rg_gpu_part to) {
  rg_gpu_command command = {.kind = RG_GPU_COPY, .part_count = 2, .parts = {from, to}};
  command.parts[0].bytes = command.parts[1].bytes = rg_round_up(from.bytes, 4);
  return add_ordered(recorder, &command, 2);
}

rango_status rg_gpu_record_timestamp(rg_gpu_recorder *recorder) {
  return add(recorder, &(rg_gpu_command){.kind = RG_GPU_TIMESTAMP});
}

void rg_gpu_recorder_clear(rg_gpu_recorder *recorder) {
  rg_free(recorder->commands.items);
  rg_free(recorder->touched.items);
  *recorder = (rg_gpu_recorder){0};
}
