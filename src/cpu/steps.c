/* rango.Elementwise: a tile at a time goes through all steps, whose results stay in the first-level cache. */
#include "cpu/families.h"
#include "cpu/nest.h"
#include "kernels/vector.h"
#include "ops/elementwise.h"

#define TILE  2048               /* elements */
#define SLOTS (RG_STEPS_MAX / 2) /* results that are waited for at a time: a step leaves at most one more behind */
_Static_assert(RG_STEP_ARRAYS <= RG_NEST_INPUTS, "the pass lets in no more inputs than a nest takes");

typedef struct steps_state {
  const rg_vector_kernels *kernels;
  rg_nest nest; /* of the inputs that may have more than one element */
  rg_shape shape;
  rg_steps steps;
  int inputs;
  int slot[RG_STEPS_MAX]; /* where each result goes; the last one's is the output */
  size_t cost;
} steps_state;

typedef struct job {
  const steps_state *state;
  const float *in[2 * RG_STEPS_MAX];
  float *out;
} job;

typedef struct tile {
  const job *job;
  const rg_nest_block *block;
  size_t row, col, rows, cols; /* of the block */
  float (*results)[TILE];
} tile;

static rg_operand operand(const tile *t, int i) {
  const steps_state *state = t->job->state;
  const rg_nest *nest = &state->nest;
  if (i >= state->inputs) return (rg_operand){t->results[state->slot[i - state->inputs]], t->cols, false};
  if (i >= nest->inputs) return (rg_operand){t->job->in[i], 0, true};
  const size_t row_step = nest->steps[i][nest->rank - 2], col_step = nest->steps[i][nest->rank - 1];
  return (rg_operand){t->job->in[i] + t->block->at[i] + t->row * row_step + t->col * col_step, row_step, col_step == 0};
}

static void run_tile(const tile *t) {
  static const rg_binary binaries[] = {
      [RG_STEP_ADD] = RG_BINARY_ADD,    [RG_STEP_SUB] = RG_BINARY_SUB, [RG_STEP_MUL] = RG_BINARY_MUL,
      [RG_STEP_DIV] = RG_BINARY_DIV,    [RG_STEP_MIN] = RG_BINARY_MIN, [RG_STEP_MAX] = RG_BINARY_MAX,
      [RG_STEP_PRELU] = RG_BINARY_PRELU};
  const steps_state *state = t->job->state;
  for (int i = 0; i < state->steps.count; i++) {
    const rg_step *step = &state->steps.items[i];
    const rg_operand a = operand(t, step->a), b = operand(t, step->b);
    float *y = i + 1 < state->steps.count ? t->results[state->slot[i]]
                                          : t->job->out + t->block->out + t->row * t->block->cols + t->col;
    if (step->kind == RG_STEP_ACTIVATION) {
      const rg_unary_call call = rg_unary_of(step->activation);
      state->kernels->unary(call.op, call.alpha, call.beta, a.data, y, t->rows * t->cols);
    } else {
      state->kernels->binary(binaries[step->kind], &a, &b, y, t->rows, t->cols);
    }
  }
}

/* Tiles of whole rows or of a part of one, so that what a tile writes is dense. */
static void run_block(const void *argument, const rg_nest *nest, const rg_nest_block *block) {
  float results[SLOTS][TILE];
  const size_t cols = block->cols < TILE ? block->cols : TILE, rows = TILE / cols;
  for (size_t row = 0; row < block->rows; row += rows)
    for (size_t col = 0; col < block->cols; col += cols) {
      const size_t rows_left = block->rows - row, cols_left = block->cols - col;
      const tile t = {
          argument, block, row, col, rows < rows_left ? rows : rows_left, cols < cols_left ? cols : cols_left, results};
      run_tile(&t);
    }
}

static rango_status run(rg_exec *exec) {
  const steps_state *state = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  job work = {.state = state, .out = y->data};
  for (int i = 0; i < state->inputs; i++) work.in[i] = rg_exec_input(exec, i)->data;
  rg_nest_run(&state->nest, exec->threads, state->cost, run_block, &work);
  return RANGO_OK;
}

/* Results share slots: a step's goes to one that nobody reads any more, which may be its own operand's. */
static bool choose_slots(steps_state *state) {
  int last_use[RG_STEPS_MAX] = {0}, owner[SLOTS];
  for (int i = 0; i < state->steps.count; i++) {
    const int a = state->steps.items[i].a - state->inputs, b = state->steps.items[i].b - state->inputs;
    if (a >= 0) last_use[a] = i;
    if (b >= 0) last_use[b] = i;
  }
  for (int s = 0; s < SLOTS; s++) owner[s] = -1;
  for (int i = 0; i + 1 < state->steps.count; i++) {
    int s = 0;
    while (s < SLOTS && owner[s] >= 0 && last_use[owner[s]] > i) s++;
    if (s == SLOTS) return false;
    state->slot[i] = s;
    owner[s] = i;
  }
  return true;
}

/* A function reads its input as it lies: it has the output's shape and layout. */
static bool is_dense(const rg_prepare *prepare, int input) {
  const rg_fact *x = prepare->inputs[input], *y = prepare->outputs[0];
  if (prepare->node->inputs[input]->layout != prepare->node->outputs[0]->layout || x->rank != y->rank) return false;
  for (int i = 0; i < y->rank; i++)
    if (x->dims[i] != y->dims[i]) return false;
  return true;
}

static bool is_scalar(const rg_fact *fact) {
  for (int i = 0; i < fact->rank; i++)
    if (fact->dims[i] != 1) return false;
  return true;
}

static rango_status prepare_steps(rg_prepare *prepare) {
  int arrays = 1;
  steps_state *state;
  for (int i = 0; i < prepare->input_count; i++) {
    const rg_fact *x = prepare->inputs[i];
    if (!x || x->type != RANGO_FLOAT32 || !rg_fact_is_concrete(x)) return RANGO_OK;
    if (!is_scalar(x)) arrays = i + 1;
  }
  if (prepare->input_count > 2 * RG_STEPS_MAX || arrays > RG_NEST_INPUTS) return RANGO_OK;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->inputs = prepare->input_count;
  state->kernels = prepare->kernels->vector;
  if (!rg_steps_read(prepare->node, &state->steps) || !choose_slots(state)) return RANGO_OK;
  state->cost = 1 + (size_t)arrays;
  for (int i = 0; i < state->steps.count; i++) {
    const rg_step *step = &state->steps.items[i];
    const bool function = step->kind == RG_STEP_ACTIVATION;
    if (function && step->a < state->inputs && !is_dense(prepare, step->a)) return RANGO_OK;
    state->cost += function ? rg_unary_cost(rg_unary_of(step->activation).op) : 1;
  }
  rg_nest_make(&state->nest, prepare, 0, arrays);
  prepare->state = state;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{RG_PRIVATE_DOMAIN, "Elementwise", prepare_steps, NULL}};
RG_CPU_EXPORT(steps, operators);
