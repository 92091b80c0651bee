/* rango.Elementwise: steps that follow each other are one chain of the kernels', whose values stay in registers. A tree
 * is several, and longer functions of short rows end one: then a tile at a time goes through all of them, whose results
 * wait in the first-level cache. */
#include <string.h>

#include "cpu/families.h"
#include "cpu/nest.h"
#include "kernels/vector.h"
#include "ops/elementwise.h"

#define TILE          2048               /* elements */
#define GROUP_VECTORS 8                  /* that a chain takes together: of a row's rest, one by one */
#define SLOTS         (RG_STEPS_MAX / 2) /* results that are waited for at a time: a step leaves at most one more behind */
_Static_assert(RG_STEP_ARRAYS <= RG_NEST_INPUTS, "the pass lets in no more inputs than a nest takes");

typedef struct chain {
  int x, first, count; /* operand, and steps */
  bool has_function;   /* of what the steps have made */
  rg_unary_call function;
  int slot; /* where its result goes; the last one's is the output */
} chain;

typedef struct steps_state {
  const rg_vector_kernels *kernels;
  rg_nest nest; /* of the inputs that may have more than one element */
  rg_shape shape;
  int inputs, chain_count;
  bool tiled;
  chain chains[RG_STEPS_MAX];
  rg_chain_step steps[RG_STEPS_MAX]; /* their operands still without data */
  int operands[RG_STEPS_MAX];        /* numbered as in rg_step; -1: none */
  int chain_of[RG_STEPS_MAX];        /* by step */
  size_t cost;
} steps_state;

typedef struct job {
  const steps_state *state;
  const float *in[2 * RG_STEPS_MAX];
  float *out;
} job;

/* Part of a block, and where chains' results wait. */
typedef struct tile {
  const job *job;
  const rg_nest_block *block;
  size_t row, col, rows, cols;
  float (*results)[TILE];
} tile;

static rg_operand operand(const tile *t, int i) {
  const steps_state *state = t->job->state;
  const rg_nest *nest = &state->nest;
  if (i >= state->inputs)
    return (rg_operand){t->results[state->chains[state->chain_of[i - state->inputs]].slot], t->cols, false};
  if (i >= nest->inputs) return (rg_operand){t->job->in[i], 0, true};
  const size_t row_step = nest->steps[i][nest->rank - 2], col_step = nest->steps[i][nest->rank - 1];
  return (rg_operand){t->job->in[i] + t->block->at[i] + t->row * row_step + t->col * col_step, row_step, col_step == 0};
}

static void run_chain(const tile *t, const chain *from, float *y) {
  const steps_state *state = t->job->state;
  const rg_operand x = operand(t, from->x);
  rg_chain_step steps[RG_STEPS_MAX];
  memcpy(steps, state->steps + from->first, (size_t)from->count * sizeof *steps);
  for (int i = 0; i < from->count; i++)
    if (state->operands[from->first + i] >= 0) steps[i].operand = operand(t, state->operands[from->first + i]);
  const bool dense = !x.scalar && (t->rows == 1 || x.row == t->cols), copied = from->count > 0 || !dense;
  if (from->count == 1 && !steps[0].is_function && !steps[0].swapped)
    state->kernels->binary(steps[0].binary, &x, &steps[0].operand, y, t->rows, t->cols);
  else if (copied)
    state->kernels->chain(&(rg_chain){x, steps, (size_t)from->count}, y, t->rows, t->cols);
  if (from->has_function)
    state->kernels->unary(from->function.op, from->function.alpha, from->function.beta, copied ? y : x.data, y,
                          t->rows * t->cols);
}

static void run_tile(const tile *t) {
  const steps_state *state = t->job->state;
  const int last = state->chain_count - 1;
  for (int c = 0; c < last; c++) run_chain(t, &state->chains[c], t->results[state->chains[c].slot]);
  run_chain(t, &state->chains[last], t->job->out + t->block->out + t->row * t->block->cols + t->col);
}

/* Tiles of whole rows or of a part of one, so that what a tile writes is dense. */
static void run_block(const void *argument, const rg_nest *nest, const rg_nest_block *block) {
  const job *work = argument;
  float results[SLOTS][TILE];
  const bool tiled = work->state->tiled;
  const size_t cols = !tiled || block->cols < TILE ? block->cols : TILE, rows = tiled ? TILE / cols : block->rows;
  for (size_t row = 0; row < block->rows; row += rows)
    for (size_t col = 0; col < block->cols; col += cols) {
      const size_t rows_left = block->rows - row, cols_left = block->cols - col;
      run_tile(&(tile){.job = work,
                       .block = block,
                       .row = row,
                       .col = col,
                       .rows = rows < rows_left ? rows : rows_left,
                       .cols = cols < cols_left ? cols : cols_left,
                       .results = results});
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

/* A step continues the chain before it where it alone reads its result, once, and on a side that the kernel takes. */
static void make_chains(steps_state *state, const rg_steps *from, bool long_rows) {
  static const rg_binary binaries[] = {
      [RG_STEP_ADD] = RG_BINARY_ADD,    [RG_STEP_SUB] = RG_BINARY_SUB, [RG_STEP_MUL] = RG_BINARY_MUL,
      [RG_STEP_DIV] = RG_BINARY_DIV,    [RG_STEP_MIN] = RG_BINARY_MIN, [RG_STEP_MAX] = RG_BINARY_MAX,
      [RG_STEP_PRELU] = RG_BINARY_PRELU};
  int uses[3 * RG_STEPS_MAX] = {0};
  for (int i = 0; i < from->count; i++) {
    uses[from->items[i].a]++;
    uses[from->items[i].b] += from->items[i].kind != RG_STEP_ACTIVATION;
  }
  for (int i = 0; i < from->count; i++) {
    const rg_step *step = &from->items[i];
    const int before = state->inputs + i - 1;
    const rg_unary_call call = rg_unary_of(step->activation);
    const bool function = step->kind == RG_STEP_ACTIVATION,
               ends = function && !long_rows && !rg_chain_is_quick(call.op);
    chain *open = i > 0 ? &state->chains[state->chain_count - 1] : NULL;
    const bool may_swap = step->kind >= RG_STEP_ADD && step->kind <= RG_STEP_DIV && step->b == before;
    const bool continues = open && !open->has_function && uses[before] == 1 && (step->a == before || may_swap);
    const bool swapped = continues && step->a != before;
    if (!continues) {
      open = &state->chains[state->chain_count++];
      *open = (chain){.x = step->a, .first = i};
    }
    state->chain_of[i] = state->chain_count - 1;
    state->operands[i] = function ? -1 : swapped ? step->a : step->b;
    state->steps[i] = (rg_chain_step){function, swapped, binaries[step->kind], call, {0}};
    state->cost += function ? rg_unary_cost(call.op) : 1;
    if (ends) {
      open->has_function = true;
      open->function = call;
    } else {
      open->count++;
    }
  }
  state->tiled = state->chain_count > 1 || state->chains[0].has_function;
}

/* Results share slots: a chain's goes to one that nobody reads any more, which may be its own operand's. */
static bool choose_slots(steps_state *state, const rg_steps *from) {
  int last_use[RG_STEPS_MAX] = {0}, owner[SLOTS];
  for (int i = 0; i < from->count; i++) { /* by chains */
    const int operands[2] = {from->items[i].a - state->inputs, from->items[i].b - state->inputs};
    for (int k = 0; k < 2; k++)
      if (operands[k] >= 0) last_use[state->chain_of[operands[k]]] = state->chain_of[i];
  }
  for (int s = 0; s < SLOTS; s++) owner[s] = -1;
  for (int c = 0; c + 1 < state->chain_count; c++) {
    int s = 0;
    while (s < SLOTS && owner[s] >= 0 && last_use[owner[s]] > c) s++;
    if (s == SLOTS) return false;
    state->chains[c].slot = s;
    owner[s] = c;
  }
  return true;
}

static bool has_one_element(const rg_fact *fact) {
  for (int i = 0; i < fact->rank; i++)
    if (fact->dims[i] != 1) return false;
  return true;
}

static rango_status prepare_steps(rg_prepare *prepare) {
  int arrays = 1;
  rg_steps steps;
  steps_state *state;
  for (int i = 0; i < prepare->input_count; i++) {
    const rg_fact *x = prepare->inputs[i];
    if (!x || x->type != RANGO_FLOAT32 || !rg_fact_is_concrete(x)) return RANGO_OK;
    if (!has_one_element(x)) arrays = i + 1;
  }
  if (prepare->input_count > 2 * RG_STEPS_MAX || arrays > RG_NEST_INPUTS || !rg_steps_read(prepare->node, &steps))
    return RANGO_OK;
  RG_TRY(rg_arena_calloc(prepare->arena, 1, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->inputs = prepare->input_count;
  state->kernels = prepare->kernels->vector;
  state->cost = 1 + (size_t)arrays;
  rg_nest_make(&state->nest, prepare, 0, arrays);
  const size_t cols = state->nest.dims[state->nest.rank - 1];
  make_chains(state, &steps, cols % (GROUP_VECTORS * prepare->kernels->lanes) <= cols / 16);
  if (!choose_slots(state, &steps)) return RANGO_OK;
  prepare->state = state;
  prepare->run = run;
  prepare->in_place = true;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{RG_PRIVATE_DOMAIN, "Elementwise", prepare_steps, NULL}};
RG_CPU_EXPORT(steps, operators);
