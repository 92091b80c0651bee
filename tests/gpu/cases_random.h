/* Shapes, axes and types as they fall: broadcasting, transposes, slices, joined and split arrays, reductions,
 * gathering. */
#ifndef TESTS_GPU_CASES_RANDOM_H
#define TESTS_GPU_CASES_RANDOM_H

#include "node_host.h"

#define RANDOM_TURNS 40

static int64_t random_below(rg_random *random, int64_t end) { return (int64_t)rg_random_below(random, (uint64_t)end); }

static rg_shape random_shape(rg_random *random, int least_rank, int most_rank) {
  static const int64_t sizes[] = {1, 1, 2, 3, 4, 5, 7, 8, 13, 16, 33};
  rg_shape shape = {.rank = least_rank + (int)random_below(random, most_rank - least_rank + 1)};
  for (int i = 0; i < shape.rank; i++) {
    shape.dims[i] = sizes[random_below(random, sizeof sizes / sizeof *sizes)];
    if (shape.rank > 4 && shape.dims[i] > 8) shape.dims[i] = 2;
  }
  return shape;
}

static rango_type random_type(rg_random *random) {
  static const rango_type types[] = {RANGO_FLOAT32, RANGO_FLOAT32, RANGO_INT64, RANGO_INT32};
  return types[random_below(random, 4)];
}

/* A shape that broadcasts to another: some sizes are 1, some axes in front are missing. */
static rg_shape random_operand(rg_random *random, const rg_shape *whole) {
  const int missing = (int)random_below(random, 3) == 0 ? (int)random_below(random, whole->rank + 1) : 0;
  rg_shape shape = {.rank = whole->rank - missing};
  for (int i = 0; i < shape.rank; i++) shape.dims[i] = random_below(random, 3) == 0 ? 1 : whole->dims[missing + i];
  return shape;
}

static void test_random_broadcast(void **state) {
  static const char *const ops[] = {"Add", "Sub", "Mul", "Max", "Less", "Where"};
  rg_random random;
  rg_random_seed(&random, 2000);
  for (int turn = 0; turn < 3 * RANDOM_TURNS; turn++) {
    const rg_shape whole = random_shape(&random, 1, 6);
    const rango_type type = random_type(&random);
    const int op = turn % 6, first = op == 5 ? 1 : 0;
    op_case c;
    op_begin(&c, "", ops[op], 16, first + 2, 1, 2100 + (uint64_t)turn);
    if (first) {
      const rg_shape shape = random_operand(&random, &whole);
      op_input(&c, 0, false, RANGO_BOOL, &shape, 0, 2);
    }
    for (int i = first; i < first + 2; i++) {
      const rg_shape shape = random_operand(&random, &whole);
      op_input(&c, i, i > first && random_below(&random, 3) == 0, type, &shape, -50, 50);
    }
    gpu_check(&c, GPU_ROW_MAJOR, type == RANGO_FLOAT32 ? GPU_FLOAT : GPU_EXACT);
  }
}

static void test_random_moves(void **state) {
  rg_random random;
  rg_random_seed(&random, 2001);
  for (int turn = 0; turn < 2 * RANDOM_TURNS; turn++) {
    const rg_shape shape = random_shape(&random, 2, 6);
    const rango_type type = turn % 5 == 0 ? RANGO_UINT8 : random_type(&random);
    int64_t numbers[RANGO_MAX_RANK], ends[RANGO_MAX_RANK], axes[RANGO_MAX_RANK], steps[RANGO_MAX_RANK];
    op_case c;
    op_begin(&c, "", turn % 2 ? "Slice" : "Transpose", 13, turn % 2 ? 5 : 1, 1, 2300 + (uint64_t)turn);
    op_input(&c, 0, false, type, &shape, 0, 200);
    for (int i = 0; i < shape.rank; i++) axes[i] = i;
    for (int i = shape.rank - 1; i > 0; i--) { /* shuffled */
      const int64_t other = random_below(&random, i + 1), axis = axes[i];
      axes[i] = axes[other];
      axes[other] = axis;
    }
    for (int i = 0; i < shape.rank; i++) {
      const int64_t size = shape.dims[axes[i]];
      steps[i] = 1 + random_below(&random, 3);
      numbers[i] = random_below(&random, size);
      ends[i] = size;
      if (random_below(&random, 3) > 0) continue;
      numbers[i] = size - 1;
      ends[i] = -size - 1 + random_below(&random, size);
      steps[i] = -steps[i];
    }
    if (turn % 2) {
      op_ints(&c, 1, true, shape.rank, numbers);
      op_ints(&c, 2, true, shape.rank, ends);
      op_ints(&c, 3, true, shape.rank, axes);
      op_ints(&c, 4, true, shape.rank, steps);
    } else {
      check_ok(rg_node_set_ints(c.node, "perm", axes, (size_t)shape.rank));
    }
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
  }
}

static void test_random_joins(void **state) {
  rg_random random;
  rg_random_seed(&random, 2002);
  for (int turn = 0; turn < RANDOM_TURNS; turn++) {
    const rg_shape shape = random_shape(&random, 1, 5);
    const rango_type type = random_type(&random);
    const int axis = (int)random_below(&random, shape.rank), parts = 1 + (int)random_below(&random, 5);
    op_case c;
    op_begin(&c, "", "Concat", 13, parts, 1, 2400 + (uint64_t)turn);
    for (int i = 0; i < parts; i++) {
      rg_shape part = shape;
      part.dims[axis] = random_below(&random, 6);
      if (i == 0) part.dims[axis]++;
      op_input(&c, i, false, type, &part, 0, 200);
    }
    check_ok(rg_node_set_int(c.node, "axis", axis));
    gpu_check(&c, GPU_BOTH_LAYOUTS, GPU_EXACT);
  }
}

static void test_random_reductions(void **state) {
  static const char *const ops[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2"};
  rg_random random;
  rg_random_seed(&random, 2003);
  for (int turn = 0; turn < RANDOM_TURNS; turn++) {
    const rg_shape shape = random_shape(&random, 1, 5);
    int64_t axes[RANGO_MAX_RANK];
    int count = 0;
    for (int i = 0; i < shape.rank; i++)
      if (random_below(&random, 2)) axes[count++] = i - (i % 2 ? shape.rank : 0);
    const bool keep = random_below(&random, 2);
    op_case c;
    op_begin(&c, "", ops[turn % 4], 18, 2, 1, 2450 + (uint64_t)turn);
    op_floats(&c, 0, false, &shape, 0, 1);
    op_ints(&c, 1, true, count, axes);
    check_ok(rg_node_set_int(c.node, "keepdims", keep));
    gpu_check(&c, keep ? GPU_BOTH_LAYOUTS : GPU_ROW_MAJOR, GPU_FLOAT);
  }
}

#endif
