/* Arithmetic on sizes from files: false on overflow, and *out untouched. */
#ifndef RG_BASE_CHECKED_H
#define RG_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool rg_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool rg_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool rg_mul_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool rg_add_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }

static inline size_t rg_min_size(size_t a, size_t b) { return a < b ? a : b; }
/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): b > 0 */
static inline size_t rg_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
static inline size_t rg_round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

#endif
