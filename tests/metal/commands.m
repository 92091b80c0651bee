/* Queues, command buffers and encoders of the emulated device. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "emulated.h"

static pthread_mutex_t running = PTHREAD_MUTEX_INITIALIZER; /* one grid runs at a time; recursive use there is none */

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- memory that may not be touched ---- */

static const char *running_kernel;

static void on_fault(int signal) {
  static const char text[] = "METAL RULE BROKEN: outside of a buffer, or in a freed one: kernel ";
  const char *name = running_kernel ? running_kernel : "(a copy)";
  if (write(2, text, sizeof text - 1) < 0 || write(2, name, strlen(name)) < 0 || write(2, "\n", 1) < 0) _exit(2);
  _exit(1);
}

static void run_command(const command *item) {
  static char stack[65536];
  const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK}, before[2];
  stack_t stack_before;
  sigaltstack(&other, &stack_before);
  sigaction(SIGSEGV, &act, &before[0]);
  sigaction(SIGBUS, &act, &before[1]);
  running_kernel = item->kernel ? item->kernel->name : NULL;
  if (item->kernel)
    metal_run(item->kernel, &item->launch);
  else
    memmove(item->to, item->from, item->bytes);
  sigaction(SIGSEGV, &before[0], NULL);
  sigaction(SIGBUS, &before[1], NULL);
  sigaltstack(&stack_before, NULL);
}

/* ---- queues ---- */

@implementation RgQueue
- (id)init {
  if ((self = [super init])) committed = [[NSMutableArray alloc] init];
  return self;
}
- (void)dealloc {
  [committed release];
  [super dealloc];
}
- (id<MTLCommandBuffer>)commandBuffer {
  RgCommands *commands = [[[RgCommands alloc] init] autorelease];
  commands->queue = [self retain];
  return commands;
}
- (void)finish {
  pthread_mutex_lock(&running);
  while ([committed count] > 0) {
    RgCommands *next = [committed objectAtIndex:0];
    [next execute];
    [committed removeObjectAtIndex:0];
  }
  pthread_mutex_unlock(&running);
}
@end

/* ---- command buffers ---- */

@implementation RgCommands
- (id)init {
  if ((self = [super init])) retained = [[NSMutableArray alloc] init];
  return self;
}
- (void)dealloc {
  if (encoding) metal_broken("a command buffer was released with an open encoder");
  free(items);
  [retained release];
  [queue release];
  [super dealloc];
}
- (RgEncoder *)encoder {
  if (state != MTLCommandBufferStatusNotEnqueued) metal_broken("an encoder of a command buffer that was committed");
  if (encoding) metal_broken("a second encoder before endEncoding");
  encoding = YES;
  RgEncoder *encoder = [[[RgEncoder alloc] init] autorelease];
  encoder->commands = [self retain];
  encoder->barrier = YES; /* Metal orders encoders that touch the same buffers */
  return encoder;
}
- (id<MTLComputeCommandEncoder>)computeCommandEncoderWithDispatchType:(MTLDispatchType)type {
  RgEncoder *encoder = [self encoder];
  encoder->concurrent = type == MTLDispatchTypeConcurrent;
  return encoder;
}
- (id<MTLBlitCommandEncoder>)blitCommandEncoder {
  return [self encoder];
}
- (command *)add {
  if (count == capacity) {
    capacity = capacity ? 2 * capacity : 16;
    items = realloc(items, capacity * sizeof *items);
  }
  memset(&items[count], 0, sizeof *items);
  return &items[count++];
}
- (void)commit {
  if (encoding) metal_broken("commit before endEncoding");
  if (state != MTLCommandBufferStatusNotEnqueued) metal_broken("commit of a command buffer twice");
  state = MTLCommandBufferStatusCommitted;
  pthread_mutex_lock(&running);
  [queue->committed addObject:self];
  pthread_mutex_unlock(&running);
}
/* Commands between two barriers run last to first: who counts on their order is found out. */
- (void)execute {
  start = now();
  for (size_t first = 0, next; first < count; first = next) {
    for (next = first + 1; next < count && !items[next].barrier;) next++;
    for (size_t i = next; i-- > first;) {
      if (items[i].push_bytes) items[i].launch.arguments[0].data = items[i].push;
      run_command(&items[i]);
    }
  }
  end = now();
  state = MTLCommandBufferStatusCompleted;
  [retained removeAllObjects];
}
- (void)waitUntilCompleted {
  if (state == MTLCommandBufferStatusNotEnqueued) metal_broken("waitUntilCompleted before commit");
  [queue finish];
}
- (MTLCommandBufferStatus)status {
  return state;
}
- (NSError *)error {
  return nil;
}
- (double)GPUStartTime {
  if (state != MTLCommandBufferStatusCompleted) metal_broken("GPUStartTime before the end");
  return start;
}
- (double)GPUEndTime {
  if (state != MTLCommandBufferStatusCompleted) metal_broken("GPUEndTime before the end");
  return end;
}
@end

/* ---- encoders ---- */

@implementation RgEncoder
- (void)dealloc {
  if (!ended) metal_broken("an encoder was released before endEncoding");
  [commands release];
  [super dealloc];
}
- (void)open {
  if (ended) metal_broken("an encoder was used after endEncoding");
}
- (void)endEncoding {
  [self open];
  ended = YES;
  commands->encoding = NO;
}
- (command *)add {
  command *added = [commands add];
  added->barrier = barrier || !concurrent;
  barrier = NO;
  return added;
}
- (void)setComputePipelineState:(id<MTLComputePipelineState>)value {
  [self open];
  if (!value) metal_broken("setComputePipelineState: nil");
  pipeline = (RgPipeline *)value;
  [commands->retained addObject:pipeline];
}
- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index {
  [self open];
  if (index != 0) metal_broken("the emulation takes bytes at index 0 alone");
  if (length == 0 || length > sizeof push) metal_broken("setBytes of %u bytes", (unsigned)length);
  memcpy(push, bytes, length);
  push_bytes = length;
  buffers[0] = nil;
}
- (void)setBuffer:(id<MTLBuffer>)value offset:(NSUInteger)offset atIndex:(NSUInteger)index {
  [self open];
  if (index >= METAL_ARGUMENTS) metal_broken("buffer index %u: 30 is the last", (unsigned)index);
  if (value && offset >= [value length]) metal_broken("buffer %u: offset behind its end", (unsigned)index);
  if (offset % 4) metal_broken("buffer %u: an offset that is no multiple of 4", (unsigned)index);
  buffers[index] = (RgBuffer *)value;
  offsets[index] = offset;
  if (index == 0) push_bytes = 0;
  if (value) [commands->retained addObject:value];
}
- (void)bind:(metal_launch *)launch {
  const metal_kernel *kernel = pipeline->kernel;
  for (unsigned i = 0; i < METAL_ARGUMENTS; i++) {
    if (!(kernel->arguments >> i & 1)) continue;
    if (i == 0 && push_bytes) {
      launch->arguments[0].bytes = push_bytes;
      continue;
    }
    if (!buffers[i]) metal_broken("kernel %s: nothing is bound to buffer %u", kernel->name, i);
    if ((kernel->constants >> i & 1) && offsets[i] % 256)
      metal_broken("kernel %s: constant buffer %u has an offset that is no multiple of 256", kernel->name, i);
    launch->arguments[i].data = buffers[i]->data + offsets[i];
    launch->arguments[i].bytes = buffers[i]->bytes - offsets[i];
  }
}
- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads {
  [self open];
  if (!pipeline) metal_broken("a dispatch without a pipeline state");
  if (groups.width == 0 || groups.height == 0 || groups.depth == 0) metal_broken("a dispatch of no groups");
  const NSUInteger all = threads.width * threads.height * threads.depth;
  if (all == 0 || all > [pipeline maxTotalThreadsPerThreadgroup])
    metal_broken("kernel %s: %u threads in a group", pipeline->kernel->name, (unsigned)all);
  command *added = [self add];
  added->kernel = pipeline->kernel;
  added->launch.groups[0] = (uint32_t)groups.width;
  added->launch.groups[1] = (uint32_t)groups.height;
  added->launch.groups[2] = (uint32_t)groups.depth;
  added->launch.threads[0] = (uint32_t)threads.width;
  added->launch.threads[1] = (uint32_t)threads.height;
  added->launch.threads[2] = (uint32_t)threads.depth;
  memcpy(added->push, push, sizeof push);
  added->push_bytes = push_bytes;
  [self bind:&added->launch];
}
- (void)memoryBarrierWithScope:(MTLBarrierScope)scope {
  [self open];
  if (scope != MTLBarrierScopeBuffers) metal_broken("a barrier of another scope");
  barrier = YES;
}
- (void)copyFromBuffer:(id<MTLBuffer>)from
          sourceOffset:(NSUInteger)fromOffset
              toBuffer:(id<MTLBuffer>)to
     destinationOffset:(NSUInteger)toOffset
                  size:(NSUInteger)size {
  [self open];
  if (!from || !to) metal_broken("a copy of no buffer");
  if (size == 0 || size % 4 || fromOffset % 4 || toOffset % 4) metal_broken("a copy that is not of whole words");
  if (fromOffset + size > [from length] || toOffset + size > [to length]) metal_broken("a copy outside of a buffer");
  if (from == to && fromOffset < toOffset + size && toOffset < fromOffset + size) metal_broken("a copy onto itself");
  command *added = [self add];
  added->from = ((RgBuffer *)from)->data + fromOffset;
  added->to = ((RgBuffer *)to)->data + toOffset;
  added->bytes = size;
  [commands->retained addObject:from];
  [commands->retained addObject:to];
}
@end
