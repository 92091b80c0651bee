/* The emulated device: what a kernel writes is right, and each broken rule of Metal's ends the process with a message.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#import <Metal/Metal.h>

#include "gpu/backend.h"
#include "gpu/shader_ids.h"
#include "kernel.h"

#define COUNT 100

typedef struct bench {
  NSAutoreleasePool *pool;
  id<MTLDevice> device;
  id<MTLCommandQueue> queue;
  id<MTLComputePipelineState> pipeline;
  id<MTLBuffer> a, b, y;
  id<MTLCommandBuffer> commands;
  id<MTLComputeCommandEncoder> encoder;
} bench;

static id<MTLBuffer> new_buffer(bench *s, NSUInteger floats) {
  return [s->device newBufferWithLength:floats * sizeof(float) options:MTLResourceStorageModeShared];
}

static id<MTLComputePipelineState> new_pipeline(bench *s, const char *source) {
  NSError *error = nil;
  NSString *text = [NSString stringWithUTF8String:source];
  id<MTLLibrary> library = [s->device newLibraryWithSource:text options:nil error:&error];
  assert_non_null(library);
  id<MTLFunction> function = [library newFunctionWithName:@"main0"];
  assert_non_null(function);
  id<MTLComputePipelineState> pipeline = [s->device newComputePipelineStateWithFunction:function error:&error];
  if (!pipeline) print_message("%s\n", [[error localizedDescription] UTF8String]);
  [function release];
  [library release];
  return pipeline;
}

static void setup(bench *s) {
  s->pool = [[NSAutoreleasePool alloc] init];
  s->device = [[[MTLCopyAllDevices() autorelease] objectAtIndex:0] retain];
  s->queue = [s->device newCommandQueue];
  s->pipeline = new_pipeline(s, rg_gpu_shaders[RG_SHADER_vector].msl.source);
  assert_non_null(s->pipeline);
  s->a = new_buffer(s, COUNT);
  s->b = new_buffer(s, COUNT);
  s->y = new_buffer(s, COUNT);
  for (int i = 0; i < COUNT; i++) {
    ((float *)[s->a contents])[i] = (float)i;
    ((float *)[s->b contents])[i] = 0.5f;
  }
  s->commands = [s->queue commandBuffer];
  s->encoder = [s->commands computeCommandEncoderWithDispatchType:MTLDispatchTypeConcurrent];
}

static void set_arguments(bench *s, uint32_t count) {
  [s->encoder setComputePipelineState:s->pipeline];
  [s->encoder setBytes:&count length:sizeof count atIndex:0];
  [s->encoder setBuffer:s->a offset:0 atIndex:1];
  [s->encoder setBuffer:s->b offset:0 atIndex:2];
  [s->encoder setBuffer:s->y offset:0 atIndex:3];
}

static void dispatch(bench *s) {
  [s->encoder dispatchThreadgroups:MTLSizeMake(2, 1, 1) threadsPerThreadgroup:MTLSizeMake(64, 1, 1)];
}

static void finish(bench *s) {
  [s->encoder endEncoding];
  [s->commands commit];
  [s->commands waitUntilCompleted];
}

static void teardown(bench *s) {
  [s->a release];
  [s->b release];
  [s->y release];
  [s->pipeline release];
  [s->queue release];
  [s->device release];
  [s->pool release];
}

static void test_vector(void **unused) {
  bench s;
  setup(&s);
  set_arguments(&s, COUNT);
  dispatch(&s);
  [s.encoder endEncoding];
  [s.commands commit];
  assert_true(((float *)[s.y contents])[1] != 1.5f); /* nothing runs before somebody waits */
  [s.commands waitUntilCompleted];
  for (int i = 0; i < COUNT; i++) assert_true(((float *)[s.y contents])[i] == (float)i + 0.5f);
  assert_true([s.commands GPUEndTime] >= [s.commands GPUStartTime]);
  teardown(&s);
}

/* Commands of an encoder that a barrier doesn't order run in another order than they were written in. */
static void test_order(void **unused) {
  for (int ordered = 0; ordered < 2; ordered++) {
    bench s;
    setup(&s);
    set_arguments(&s, COUNT);
    dispatch(&s); /* y = a + b */
    if (ordered) [s.encoder memoryBarrierWithScope:MTLBarrierScopeBuffers];
    [s.encoder setBuffer:s.y offset:0 atIndex:1];
    [s.encoder setBuffer:s.b offset:0 atIndex:2];
    [s.encoder setBuffer:s.a offset:0 atIndex:3];
    dispatch(&s); /* a = y + b */
    finish(&s);
    assert_int_equal(((float *)[s.a contents])[2] == 3, ordered);
    teardown(&s);
  }
}

/* One of kernels/, which are for this test. */
static const char *own_source(const char *name) {
  for (const metal_kernel *const *kernel = metal_kernels; *kernel; kernel++)
    if (strcmp((*kernel)->name, name) == 0) return (*kernel)->source;
  fail_msg("no kernel %s", name);
  return NULL;
}

static void reverse(bench *s, uint32_t fault) {
  id<MTLComputePipelineState> pipeline = new_pipeline(s, own_source("reverse"));
  [s->encoder setComputePipelineState:pipeline];
  [s->encoder setBytes:&fault length:sizeof fault atIndex:0];
  [s->encoder setBuffer:s->a offset:0 atIndex:1];
  [s->encoder setBuffer:s->y offset:0 atIndex:2];
  [s->encoder dispatchThreadgroups:MTLSizeMake(1, 1, 1) threadsPerThreadgroup:MTLSizeMake(64, 1, 1)];
  [pipeline release]; /* the command keeps it */
  finish(s);
}

/* Barriers are real, and a missing one shows. */
static void test_barriers(void **unused) {
  for (uint32_t fault = 0; fault < 2; fault++) {
    bench s;
    setup(&s);
    reverse(&s, fault);
    bool right = true;
    for (int i = 0; i < 64; i++) right = right && ((float *)[s.y contents])[i] == (float)(63 - i);
    assert_true(right == (fault == 0));
    teardown(&s);
  }
}

static void test_shared_memory(void **unused) {
  bench s;
  setup(&s);
  assert_null(new_pipeline(&s, own_source("greedy")));
  [s.encoder endEncoding];
  teardown(&s);
}

static void test_unknown_source(void **unused) {
  bench s;
  setup(&s);
  NSError *error = nil;
  assert_null([s.device newLibraryWithSource:@"kernel void main0() {}" options:nil error:&error]);
  assert_non_null(strstr([[error localizedDescription] UTF8String], "none of those"));
  [s.encoder endEncoding];
  teardown(&s);
}

/* ---- rules: each ends the process ---- */

static void no_pipeline(bench *s) { dispatch(s); }

static void nil_pipeline(bench *s) { [s->encoder setComputePipelineState:nil]; }

static void index_31(bench *s) { [s->encoder setBuffer:s->a offset:0 atIndex:31]; }

static void parting_threads(bench *s) { reverse(s, 2); }

static void odd_offset(bench *s) { [s->encoder setBuffer:s->a offset:2 atIndex:1]; }

static void unbound(bench *s) {
  set_arguments(s, COUNT);
  [s->encoder setBuffer:nil offset:0 atIndex:2];
  dispatch(s);
}

static void short_buffer(bench *s) {
  id<MTLBuffer> tiny = new_buffer(s, COUNT - 32);
  set_arguments(s, COUNT);
  [s->encoder setBuffer:tiny offset:0 atIndex:2];
  dispatch(s);
  finish(s);
}

static void constant_offset(bench *s) {
  set_arguments(s, COUNT);
  [s->encoder setBuffer:s->a offset:4 atIndex:0];
  dispatch(s);
}

static void long_bytes(bench *s) {
  static const char bytes[4096];
  [s->encoder setBytes:bytes length:sizeof bytes atIndex:0];
}

static void no_groups(bench *s) {
  set_arguments(s, COUNT);
  [s->encoder dispatchThreadgroups:MTLSizeMake(0, 1, 1) threadsPerThreadgroup:MTLSizeMake(64, 1, 1)];
}

static void many_threads(bench *s) {
  set_arguments(s, COUNT);
  [s->encoder dispatchThreadgroups:MTLSizeMake(1, 1, 1) threadsPerThreadgroup:MTLSizeMake(64, 32, 1)];
}

static void empty_buffer(bench *s) { new_buffer(s, 0); }

static void huge_buffer(bench *s) { new_buffer(s, [s->device maxBufferLength]); }

static void after_end(bench *s) {
  [s->encoder endEncoding];
  set_arguments(s, COUNT);
}

static void open_at_commit(bench *s) { [s->commands commit]; }

static void two_encoders(bench *s) { [s->commands blitCommandEncoder]; }

static void commit_twice(bench *s) {
  finish(s);
  [s->commands commit];
}

static void freed_buffer(bench *s) {
  float *contents = [s->y contents];
  [s->y release];
  contents[0] = 1;
}

static void private_contents(bench *s) {
  id<MTLBuffer> buffer = [s->device newBufferWithLength:16 options:MTLResourceStorageModePrivate];
  [buffer contents];
}

static void odd_copy(bench *s) {
  [s->encoder endEncoding];
  id<MTLBlitCommandEncoder> blit = [s->commands blitCommandEncoder];
  [blit copyFromBuffer:s->a sourceOffset:0 toBuffer:s->b destinationOffset:0 size:6];
}

static void long_copy(bench *s) {
  [s->encoder endEncoding];
  id<MTLBlitCommandEncoder> blit = [s->commands blitCommandEncoder];
  [blit copyFromBuffer:s->a sourceOffset:4 toBuffer:s->b destinationOffset:0 size:COUNT * sizeof(float)];
}

static void leaked_buffer(bench *s) {
  finish(s);
  new_buffer(s, COUNT);
  exit(0);
}

/* Runs the broken program in a process of its own; its message has to hold `text` (NULL: a signal is enough). */
static void expect(void (*broken)(bench *s), const char *text) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(stdout); /* else the child writes it once more */
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    signal(SIGSEGV, SIG_DFL); /* cmocka has it */
    bench s;
    setup(&s);
    broken(&s);
    _exit(0);
  }
  close(ends[1]);
  char message[1024] = "";
  size_t length = 0;
  for (ssize_t got; (got = read(ends[0], message + length, sizeof message - 1 - length)) > 0;) length += (size_t)got;
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) fail_msg("nobody minded: %s", text ? text : "a freed buffer");
  if (text && !strstr(message, text)) fail_msg("no '%s' in: %s", text, message);
}

static void test_rules(void **unused) {
  expect(no_pipeline, "without a pipeline state");
  expect(nil_pipeline, "setComputePipelineState: nil");
  expect(index_31, "30 is the last");
  expect(parting_threads, "part at a barrier");
  expect(odd_offset, "no multiple of 4");
  expect(unbound, "nothing is bound to buffer 2");
  expect(short_buffer, "outside of a buffer");
  expect(constant_offset, "no multiple of 256");
  expect(long_bytes, "setBytes of 4096");
  expect(no_groups, "no groups");
  expect(many_threads, "2048 threads in a group");
  expect(empty_buffer, "newBufferWithLength: 0");
  expect(huge_buffer, "more than maxBufferLength");
  expect(after_end, "after endEncoding");
  expect(open_at_commit, "commit before endEncoding");
  expect(two_encoders, "second encoder");
  expect(commit_twice, "twice");
  expect(freed_buffer, NULL);
  expect(leaked_buffer, "never released");
  expect(private_contents, "private buffer");
  expect(odd_copy, "whole words");
  expect(long_copy, "outside of a buffer");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector),         cmocka_unit_test(test_order),
                                     cmocka_unit_test(test_barriers),       cmocka_unit_test(test_shared_memory),
                                     cmocka_unit_test(test_unknown_source), cmocka_unit_test(test_rules)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
