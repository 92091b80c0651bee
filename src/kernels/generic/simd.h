/* One vector of floats for any CPU: GCC's and Clang's vector types of 16 bytes. The same names are in each folder's
 * simd.h, so that a kernel is written once (kernels/template_*.h) and compiled for every instruction set. */
#ifndef RG_KERNELS_SIMD_H
#define RG_KERNELS_SIMD_H

#include <math.h>
#include <string.h>

#include "kernels/table.h"

typedef float rg_vec __attribute__((vector_size(16)));
typedef int32_t rg_veci __attribute__((vector_size(16)));
#define RG_LANES             4
#define RG_KERNEL_NAME(name) rg_generic_##name

static inline rg_vec v_load(const float *from) {
  rg_vec v;
  memcpy(&v, from, sizeof v);
  return v;
}
static inline void v_store(float *to, rg_vec v) { memcpy(to, &v, sizeof v); }
/* The first `count` lanes, 1 … RG_LANES; the others are 0, and their memory isn't touched. */
static inline rg_vec v_load_n(const float *from, size_t count) {
  rg_vec v = {0};
  memcpy(&v, from, (count < RG_LANES ? count : RG_LANES) * sizeof(float));
  return v;
}
static inline void v_store_n(float *to, rg_vec v, size_t count) {
  memcpy(to, &v, (count < RG_LANES ? count : RG_LANES) * sizeof(float));
}
static inline rg_vec v_set1(float x) { return (rg_vec){x, x, x, x}; }
static inline rg_vec v_fma(rg_vec a, rg_vec b, rg_vec c) { return a * b + c; } /* a b + c */
static inline rg_vec v_add(rg_vec a, rg_vec b) { return a + b; }
static inline rg_vec v_sub(rg_vec a, rg_vec b) { return a - b; }
static inline rg_vec v_mul(rg_vec a, rg_vec b) { return a * b; }
static inline rg_vec v_div(rg_vec a, rg_vec b) { return a / b; }
static inline rg_vec v_select_(rg_veci mask, rg_vec yes, rg_vec no) {
  return (rg_vec)(((rg_veci)yes & mask) | ((rg_veci)no & ~mask));
}
/* A NaN in x stays: `bound` is what x is held to. */
static inline rg_vec v_max(rg_vec bound, rg_vec x) { return v_select_(bound > x, bound, x); }
static inline rg_vec v_min(rg_vec bound, rg_vec x) { return v_select_(bound < x, bound, x); }
static inline float v_sum(rg_vec v) { return (v[0] + v[2]) + (v[1] + v[3]); }

#endif
