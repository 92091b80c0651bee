/*
 * Between the emulated device, which is Objective-C, and kernels, which are Metal's language compiled as C++: what a
 * kernel is, and how a grid of it runs on the CPU (groups.c).
 */
#ifndef METAL_KERNEL_H
#define METAL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define METAL_ARGUMENTS   31 /* of a kernel: indices 0 to 30 */
#define METAL_THREADS     1024
#define METAL_SHARED_MOST 32768
#define METAL_SIMD        32

typedef struct metal_launch {
  struct {
    void *data;
    size_t bytes; /* to the buffer's end */
  } arguments[METAL_ARGUMENTS];
  uint32_t groups[3], threads[3];
} metal_launch;

/* One thread while it runs. */
typedef struct metal_thread {
  const metal_launch *launch;
  uint32_t group[3], position[3], index;
} metal_thread;

typedef struct metal_kernel {
  const char *name, *source;
  uint32_t arguments; /* a bit for each index that it has */
  uint32_t constants; /* those in the constant address space */
  bool barriers;
  char *shared, *shared_end; /* its threadgroup variables; NULL: none */
  void (*run)(const metal_thread *thread);
} metal_kernel;

extern const metal_kernel *const metal_kernels[]; /* ends with NULL */

/* Runs the whole grid. */
void metal_run(const metal_kernel *kernel, const metal_launch *launch);

/* What kernels call. */
enum { METAL_BARRIER_GROUP = 1, METAL_BARRIER_SIMDGROUP };
void metal_barrier(int kind);
/* Counts an operation that the whole SIMD group does together; true for the thread that does it for all. */
bool metal_together(void);

/* A rule that Apple's Metal enforces is broken: says which, and ends the process. */
void metal_broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint32_t metal_random(void); /* the same numbers in every run */

#ifdef __cplusplus
}
#endif
#endif
