/* The classes of the emulated device. */
#ifndef METAL_EMULATED_CLASSES_H
#define METAL_EMULATED_CLASSES_H

#import <Metal/Metal.h>

#include "kernel.h"

/* Counted: what is alive when the process ends was never released, which is an error. */
@interface RgObject : NSObject
@end

/* Ends against a page that can't be touched; freed memory can't be either. */
@interface RgBuffer : RgObject <MTLBuffer> {
@public
  char *mapping, *data;
  size_t mapped_bytes, bytes;
  BOOL shared;
}
- (id)initWithLength:(NSUInteger)length shared:(BOOL)isShared;
@end

@interface RgLibrary : RgObject <MTLLibrary> {
@public
  const metal_kernel *kernel;
}
@end

@interface RgFunction : RgObject <MTLFunction> {
@public
  const metal_kernel *kernel;
}
@end

@interface RgPipeline : RgObject <MTLComputePipelineState> {
@public
  const metal_kernel *kernel;
}
@end

/* Command buffers run when one of them is waited for, in the order of their commits. */
@interface RgQueue : RgObject <MTLCommandQueue> {
@public
  NSMutableArray *committed;
}
- (void)finish;
@end

typedef struct command {
  const metal_kernel *kernel; /* NULL: a copy */
  metal_launch launch;
  char push[128];
  size_t push_bytes;
  char *from, *to;
  size_t bytes;
  BOOL barrier; /* nothing of the encoder before it runs after it */
} command;

@interface RgCommands : RgObject <MTLCommandBuffer> {
@public
  RgQueue *queue;
  NSMutableArray *retained; /* resources */
  command *items;
  size_t count, capacity;
  MTLCommandBufferStatus state;
  BOOL encoding;
  double start, end;
}
- (command *)add;
- (void)execute;
@end

@interface RgEncoder : RgObject <MTLComputeCommandEncoder, MTLBlitCommandEncoder> {
@public
  RgCommands *commands;
  BOOL ended, barrier, concurrent;
  RgPipeline *pipeline;
  RgBuffer *buffers[METAL_ARGUMENTS];
  size_t offsets[METAL_ARGUMENTS];
  char push[128];
  size_t push_bytes;
}
@end

#endif
