/*
 * Metal: lists of commands. Command buffers are good for one run, so a list keeps its commands and each run encodes
 * them anew: a compute encoder whose dispatches may run side by side, with memory barriers where the list has them, and
 * a blit encoder for copies. Metal itself orders encoders and command buffers that touch the same buffers.
 */
#include <string.h>

#include "gpu/check.h"
#include "gpu/metal/metal.h"

struct rg_gpu_list {
  rg_gpu_command *commands;
  size_t count;
  id<MTLComputePipelineState> *pipelines; /* [count], the device's; nil where the command is no dispatch */
  double *milliseconds;                   /* [times] of the last run */
  size_t times;
};

/* A run being encoded. */
typedef struct encoding {
  rg_metal_device *device;
  NSMutableArray *committed; /* command buffers */
  id<MTLCommandBuffer> commands;
  id<MTLComputeCommandEncoder> compute; /* at most one of the two is open */
  id<MTLBlitCommandEncoder> blit;
  id<MTLComputePipelineState> pipeline; /* that the compute encoder has */
} encoding;

/* ---- making ---- */

void rg_metal_list_free(rg_gpu_device *device, rg_gpu_list *list) {
  if (!list) return;
  rg_free(list->commands);
  rg_free(list->pipelines);
  rg_free(list->milliseconds);
  rg_free(list);
}

static rango_status fill_list(rg_metal_device *device, rg_gpu_list *list, const rg_gpu_command *commands,
                              size_t count) {
  RG_TRY(rg_calloc(count, sizeof *commands, RG_OUT(&list->commands)));
  RG_TRY(rg_calloc(count, sizeof(id), RG_OUT(&list->pipelines)));
  if (count) memcpy(list->commands, commands, count * sizeof *commands);
  list->count = count;
  for (size_t i = 0; i < count; i++) {
    RG_TRY(rg_gpu_check_command(&device->base, &commands[i]));
    if (commands[i].kind == RG_GPU_DISPATCH) RG_TRY(rg_metal_pipeline(device, commands[i].shader, &list->pipelines[i]));
    if (commands[i].kind == RG_GPU_TIMESTAMP) list->times++;
  }
  return rg_calloc(list->times, sizeof *list->milliseconds, RG_OUT(&list->milliseconds));
}

rango_status rg_metal_list_create(rg_gpu_device *device, const rg_gpu_command *commands, size_t count,
                                  rg_gpu_list **out) {
  rg_gpu_list *list;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *list, RG_OUT(&list)));
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  const rango_status status = fill_list((rg_metal_device *)device, list, commands, count);
  [pool release];
  if (status == RANGO_OK)
    *out = list;
  else
    rg_metal_list_free(device, list);
  return status;
}

/* ---- encoding ---- */

static void end_compute(encoding *run) {
  [run->compute endEncoding];
  run->compute = nil;
  run->pipeline = nil;
}

static void end_blit(encoding *run) {
  [run->blit endEncoding];
  run->blit = nil;
}

static rango_status begin_commands(encoding *run) {
  if (!run->commands) run->commands = [run->device->queue commandBuffer];
  RG_FAIL_IF(!run->commands, RANGO_ERROR_DEVICE, "Metal: commandBuffer gave none");
  return RANGO_OK;
}

static void commit(encoding *run) {
  end_compute(run);
  end_blit(run);
  [run->commands commit];
  [run->committed addObject:run->commands];
  run->commands = nil;
}

static rango_status encode_dispatch(encoding *run, const rg_gpu_command *command,
                                    id<MTLComputePipelineState> pipeline) {
  if (command->groups[0] == 0 || command->groups[1] == 0 || command->groups[2] == 0) return RANGO_OK;
  RG_TRY(begin_commands(run));
  end_blit(run);
  if (!run->compute) run->compute = [run->commands computeCommandEncoderWithDispatchType:MTLDispatchTypeConcurrent];
  RG_FAIL_IF(!run->compute, RANGO_ERROR_DEVICE, "Metal: computeCommandEncoder gave none");
  if (run->pipeline != pipeline) [run->compute setComputePipelineState:pipeline];
  run->pipeline = pipeline;
  if (command->push_words > 0)
    [run->compute setBytes:command->push length:(NSUInteger)command->push_words * sizeof(uint32_t) atIndex:0];
  for (int i = 0; i < command->part_count; i++) {
    const rg_gpu_part *part = &command->parts[i];
    [run->compute setBuffer:((rg_metal_buffer *)part->buffer)->buffer
                     offset:part->bytes ? part->offset : 0 /* an empty part may lie at the end, where nothing binds */
                    atIndex:(NSUInteger)i + 1];
  }
  const uint32_t *groups = command->groups, *threads = rg_gpu_shaders[command->shader].threads;
  [run->compute dispatchThreadgroups:MTLSizeMake(groups[0], groups[1], groups[2])
               threadsPerThreadgroup:MTLSizeMake(threads[0], threads[1], threads[2])];
  return RANGO_OK;
}

static rango_status encode_copy(encoding *run, const rg_gpu_command *command) {
  const rg_gpu_part *from = &command->parts[0], *to = &command->parts[1];
  if (from->bytes == 0) return RANGO_OK;
  RG_TRY(begin_commands(run));
  end_compute(run);
  if (!run->blit) run->blit = [run->commands blitCommandEncoder];
  RG_FAIL_IF(!run->blit, RANGO_ERROR_DEVICE, "Metal: blitCommandEncoder gave none");
  [run->blit copyFromBuffer:((rg_metal_buffer *)from->buffer)->buffer
               sourceOffset:from->offset
                   toBuffer:((rg_metal_buffer *)to->buffer)->buffer
          destinationOffset:to->offset
                       size:from->bytes];
  return RANGO_OK;
}

static rango_status encode(encoding *run, const rg_gpu_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    const rg_gpu_command *command = &list->commands[i];
    switch (command->kind) {
    case RG_GPU_DISPATCH:
      RG_TRY(encode_dispatch(run, command, list->pipelines[i]));
      break;
    case RG_GPU_COPY:
      RG_TRY(encode_copy(run, command));
      break;
    case RG_GPU_BARRIER:
      [run->compute memoryBarrierWithScope:MTLBarrierScopeBuffers];
      end_blit(run);
      break;
    case RG_GPU_TIMESTAMP: /* times are those of whole command buffers: all that every device tells */
      RG_TRY(begin_commands(run));
      commit(run);
      break;
    }
  }
  if (run->commands) commit(run);
  return RANGO_OK;
}

/* ---- running ---- */

/* Each timestamp closed a command buffer: what ran between two is the second one's time on the device. */
static void take_times(const encoding *run, rg_gpu_list *list) {
  double total = 0;
  for (size_t i = 0; i < list->times; i++) {
    id<MTLCommandBuffer> commands = [run->committed objectAtIndex:i];
    if (i > 0) total += ([commands GPUEndTime] - [commands GPUStartTime]) * 1e3;
    list->milliseconds[i] = total;
  }
}

static rango_status run_list(rg_metal_device *device, rg_gpu_list *list) {
  encoding run = {.device = device, .committed = [NSMutableArray array]};
  rango_status status = encode(&run, list);
  end_compute(&run); /* nil but where encoding failed */
  end_blit(&run);
  for (NSUInteger i = 0; i < [run.committed count]; i++) { /* all, even behind one that failed */
    const rango_status done = rg_metal_wait([run.committed objectAtIndex:i]);
    if (status == RANGO_OK) status = done;
  }
  if (status == RANGO_OK) take_times(&run, list);
  return status;
}

rango_status rg_metal_list_run(rg_gpu_device *device, rg_gpu_list *list) {
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  const rango_status status = run_list((rg_metal_device *)device, list);
  [pool release];
  return status;
}

rango_status rg_metal_list_times(rg_gpu_device *device, rg_gpu_list *list, double *milliseconds, size_t count) {
  RG_FAIL_IF(count != list->times, RANGO_ERROR_ARGUMENT, "the list has %zu timestamps, not %zu", list->times, count);
  if (count) memcpy(milliseconds, list->milliseconds, count * sizeof *milliseconds);
  return RANGO_OK;
}
