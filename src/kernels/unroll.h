/* What the templates of kernels need of the compiler. */
#ifndef RG_KERNELS_UNROLL_H
#define RG_KERNELS_UNROLL_H

#define RG_INLINE static inline __attribute__((always_inline))
/* Before a loop whose count the compiler knows after inlining: arrays that it indexes then live in registers. */
#if defined(__clang__)
#define RG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLL _Pragma("GCC unroll 16")
#endif

/* The vector stays in its register: gcc would read it again from memory for every product that uses it. */
#if defined(__x86_64__)
#define RG_KEEP(vector) __asm__("" : "+v"(vector))
#elif defined(__aarch64__)
#define RG_KEEP(vector) __asm__("" : "+w"(vector))
#else
#define RG_KEEP(vector) ((void)0)
#endif

#endif
