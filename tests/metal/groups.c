/*
 * Runs a grid of a kernel on the CPU, one group after another. Threads of a group whose kernel has barriers are fibers:
 * each runs to its next barrier, in an order that changes from barrier to barrier, so that a missing barrier shows.
 * Threadgroup memory holds NaNs when a group begins.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel.h"

#define STACK_BYTES 65536

void metal_switch(void **save, void *load);

enum { RUNNING = 0, DONE = 3 }; /* beside METAL_BARRIER_... */

typedef struct fiber {
  metal_thread thread;
  void *stack_pointer;
  int state;
  unsigned together; /* operations of its SIMD group that it took part in */
} fiber;

/* One grid runs at a time (the device sees to it). */
static struct {
  const metal_kernel *kernel;
  char *stacks;
  void *scheduler;
  fiber *now;
  fiber fibers[METAL_THREADS];
} state;

void metal_broken(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fflush(stdout);
  fputs("METAL RULE BROKEN: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  _exit(1);
}

uint32_t metal_random(void) {
  static uint32_t x = 2463534242u;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return x;
}

/* ---- what kernels call ---- */

void metal_barrier(int kind) {
  state.now->state = kind;
  metal_switch(&state.now->stack_pointer, state.scheduler);
}

bool metal_together(void) {
  state.now->together++;
  return state.now->thread.index % METAL_SIMD == 0;
}

/* ---- fibers ---- */

static void enter(void) {
  state.kernel->run(&state.now->thread);
  state.now->state = DONE;
  metal_switch(&state.now->stack_pointer, state.scheduler);
}

/* As metal_switch leaves a stack, with `enter` to return to. */
static void *fresh_stack(char *top) {
#if defined(__x86_64__)
  void **sp = (void **)top - 8;
  sp[6] = (void *)enter;
  sp[7] = NULL;
#elif defined(__aarch64__)
  void **sp = (void **)top - 20;
  sp[11] = (void *)enter;
#endif
  return sp;
}

static void resume(fiber *f) {
  state.now = f;
  f->state = RUNNING;
  metal_switch(&state.scheduler, f->stack_pointer);
}

/* Runs threads first … first + count - 1 once, from either end; they have to stop alike. */
static int step(int first, int count) {
  const int back = (int)(metal_random() & 1);
  for (int i = 0; i < count; i++) resume(&state.fibers[first + (back ? count - 1 - i : i)]);
  const fiber *head = &state.fibers[first];
  for (int i = 1; i < count; i++)
    if (head[i].state != head->state)
      metal_broken("kernel %s: threads %d and %d of a group part at a barrier", state.kernel->name, first, first + i);
  return head->state;
}

static int step_simdgroup(int first, int count) {
  int stopped;
  do stopped = step(first, count);
  while (stopped == METAL_BARRIER_SIMDGROUP);
  for (int i = 1; i < count; i++)
    if (state.fibers[first + i].together != state.fibers[first].together)
      metal_broken("kernel %s: not all threads of a SIMD group took part in its operations", state.kernel->name);
  return stopped;
}

static void run_fibers(int count) {
  for (int i = 0; i < count; i++) {
    state.fibers[i].stack_pointer = fresh_stack(state.stacks + (size_t)(i + 1) * STACK_BYTES);
    state.fibers[i].together = 0;
  }
  int stopped = RUNNING;
  while (stopped != DONE) {
    const int simdgroups = (count + METAL_SIMD - 1) / METAL_SIMD, back = (int)(metal_random() & 1);
    for (int i = 0; i < simdgroups; i++) {
      const int first = (back ? simdgroups - 1 - i : i) * METAL_SIMD;
      const int now = step_simdgroup(first, count - first < METAL_SIMD ? count - first : METAL_SIMD);
      if (i > 0 && now != stopped)
        metal_broken("kernel %s: SIMD groups of a group part at a barrier", state.kernel->name);
      stopped = now;
    }
  }
}

/* ---- groups ---- */

static void set_threads(const metal_launch *launch, int count) {
  for (int i = 0; i < count; i++) {
    metal_thread *thread = &state.fibers[i].thread;
    const uint32_t *size = launch->threads, at = (uint32_t)i;
    *thread = (metal_thread){
        .launch = launch, .position = {at % size[0], at / size[0] % size[1], at / size[0] / size[1]}, .index = at};
  }
}

static void run_group(const uint32_t group[3], int count) {
  const metal_kernel *kernel = state.kernel;
  if (kernel->shared) memset(kernel->shared, 0xff, (size_t)(kernel->shared_end - kernel->shared));
  for (int i = 0; i < count; i++) memcpy(state.fibers[i].thread.group, group, sizeof state.fibers[i].thread.group);
  if (kernel->barriers) {
    run_fibers(count);
    return;
  }
  const int back = (int)(metal_random() & 1);
  for (int i = 0; i < count; i++) kernel->run(&state.fibers[back ? count - 1 - i : i].thread);
}

void metal_run(const metal_kernel *kernel, const metal_launch *launch) {
  const int count = (int)(launch->threads[0] * launch->threads[1] * launch->threads[2]);
  const uint64_t groups = (uint64_t)launch->groups[0] * launch->groups[1] * launch->groups[2];
  state.kernel = kernel;
  if (!state.stacks)
    state.stacks = mmap(NULL, (size_t)METAL_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (state.stacks == MAP_FAILED) metal_broken("no memory for stacks");
  set_threads(launch, count);
  const bool back = metal_random() & 1;
  for (uint64_t i = 0; i < groups; i++) {
    const uint64_t at = back ? groups - 1 - i : i, row = at / launch->groups[0];
    run_group((uint32_t[3]){(uint32_t)(at % launch->groups[0]), (uint32_t)(row % launch->groups[1]),
                            (uint32_t)(row / launch->groups[1])},
              count);
  }
}
