/* Recurrent layers for one element type: included with T, NAME and PRODUCT defined (family_recurrent.c). No guard. */

/* Memory that one direction works in. */
typedef struct NAME(work) {
  T *projected; /* [steps][batch][gates * hidden]: X · Wᵀ + bias */
  T *gates;     /* [batch][gates * hidden] */
  T *reset;     /* [batch][hidden]: GRU's r ⊙ h, or h · Rhᵀ */
  T *h, *c;     /* [batch][hidden] */
} NAME(work);

static T NAME(activate)(const cell_activation *activation, T clip, T x) {
  T alpha = (T)activation->alpha, beta = (T)activation->beta;
  if (clip > 0) x = x > clip ? clip : x < -clip ? -clip : x;
  switch (activation->kind) {
  case CELL_SIGMOID:
    return 1 / (1 + exp(-x));
  case CELL_TANH:
    return tanh(x);
  case CELL_RELU:
    return x > 0 ? x : 0;
  case CELL_AFFINE:
    return alpha * x + beta;
  case CELL_LEAKY_RELU:
    return x >= 0 ? x : alpha * x;
  case CELL_THRESHOLDED_RELU:
    return x > alpha ? x : 0;
  case CELL_SCALED_TANH:
    return alpha * tanh(beta * x);
  case CELL_HARD_SIGMOID:
    return fmax(0, fmin(1, alpha * x + beta));
  case CELL_ELU:
    return x >= 0 ? x : alpha * (exp(x) - 1);
  case CELL_SOFTSIGN:
    return x / (1 + fabs(x));
  case CELL_SOFTPLUS:
    return log(1 + exp(x));
  }
  return x;
}

/* One step of one row: g [gates * hidden] is X·Wᵀ + H·Rᵀ + biases. */
static void NAME(lstm_row)(const recurrent *s, const T *g, const T *peephole, T *h, T *c) {
  int64_t n = s->hidden;
  T clip = (T)s->clip;
  for (int64_t i = 0; i < n; i++) {
    T input = g[i], output = g[n + i], forget = g[2 * n + i];
    if (peephole) {
      input += peephole[i] * c[i];
      forget += peephole[2 * n + i] * c[i];
    }
    input = NAME(activate)(&s->activations[0], clip, input);
    forget = s->input_forget ? 1 - input : NAME(activate)(&s->activations[0], clip, forget);
    T candidate = NAME(activate)(&s->activations[1], clip, g[3 * n + i]);
    c[i] = forget * c[i] + input * candidate;
    if (peephole) output += peephole[n + i] * c[i];
    h[i] = NAME(activate)(&s->activations[0], clip, output) * NAME(activate)(&s->activations[2], 0, c[i]);
  }
}

/* `g` holds z and r complete and, for the candidate, X·Wᵀ + bias; `reset` the recurrent part of the candidate. */
static void NAME(gru_row)(const recurrent *s, const T *g, const T *reset, T *h) {
  int64_t n = s->hidden;
  T clip = (T)s->clip;
  for (int64_t i = 0; i < n; i++) {
    T update = NAME(activate)(&s->activations[0], clip, g[i]);
    T candidate = NAME(activate)(&s->activations[1], clip, g[2 * n + i] + reset[i]);
    h[i] = (1 - update) * candidate + update * h[i];
  }
}

/* The recurrent part of a GRU's candidate for all rows, into work->reset; r is activated on the way. */
static void NAME(gru_reset)(const recurrent *s, const T *r, const T *bias, const NAME(work) * work, T *rows) {
  int64_t n = s->hidden, width = 3 * n;
  T clip = (T)s->clip;
  const T *r_candidate = r + 2 * n * n, *b_candidate = bias ? bias + width + 2 * n : NULL;
  rg_product shape = {.rows = s->batch, .inner = n, .columns = n, .a_row = n, .a_column = 1, .b_row = 1, .b_column = n};
  for (int64_t b = 0; b < s->batch; b++) {
    for (int64_t i = 0; i < n; i++) {
      T *gate = &work->gates[b * width + n + i];
      *gate = NAME(activate)(&s->activations[0], clip, *gate);
      rows[b * n + i] = *gate * work->h[b * n + i];
      work->reset[b * n + i] = s->linear_before_reset && b_candidate ? b_candidate[i] : 0;
    }
  }
  PRODUCT(&shape, s->linear_before_reset ? work->h : rows, r_candidate, work->reset);
  for (int64_t b = 0; s->linear_before_reset && b < s->batch; b++)
    for (int64_t i = 0; i < n; i++) work->reset[b * n + i] *= work->gates[b * width + n + i];
}

/* x [steps][batch][input] times W, with all biases that may be added before the recurrent product. */
static void NAME(project)(const recurrent *s, const T *x, const T *w, const T *bias, T *projected) {
  int64_t width = s->gates * s->hidden, rows = s->steps * s->batch;
  rg_product shape = {.rows = rows,
                      .inner = s->input,
                      .columns = width,
                      .a_row = s->input,
                      .a_column = 1,
                      .b_row = 1,
                      .b_column = s->input};
  int64_t separate = s->kind == CELL_GRU && s->linear_before_reset ? 2 * s->hidden : width;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < width; j++)
      projected[i * width + j] = bias ? bias[j] + (j < separate ? bias[width + j] : 0) : 0;
  PRODUCT(&shape, x, w, projected);
}

/* Runs one direction. y (or NULL) is written at y[t * y_step + b * y_row]; work->h and work->c are the states, in
 * place. `rows` is room for [batch][hidden]. */
static void NAME(run_direction)(const recurrent *s, const T *r, const T *bias, const T *peephole,
                                const NAME(work) * work, T *rows, T *y) {
  int64_t n = s->hidden, width = s->gates * n;
  /* A GRU's candidate has its own product (gru_reset). */
  int64_t columns = s->kind == CELL_GRU ? 2 * n : width;
  for (int64_t step = 0; step < s->steps; step++) {
    for (int64_t b = 0; b < s->batch; b++) {
      int64_t length = s->lengths[b], t = step >= length ? 0 : s->reverse ? length - 1 - step : step;
      T *gates = work->gates + b * width;
      memcpy(gates, work->projected + (t * s->batch + b) * width, (size_t)width * sizeof(T));
      rg_product shape = {
          .rows = 1, .inner = n, .columns = columns, .a_row = n, .a_column = 1, .b_row = 1, .b_column = n};
      PRODUCT(&shape, work->h + b * n, r, gates);
    }
    if (s->kind == CELL_GRU) NAME(gru_reset)(s, r, bias, work, rows);
    for (int64_t b = 0; b < s->batch; b++) {
      int64_t length = s->lengths[b], t = s->reverse ? length - 1 - step : step;
      if (step >= length) continue;
      T *h = work->h + b * n, *gates = work->gates + b * width;
      if (s->kind == CELL_LSTM)
        NAME(lstm_row)(s, gates, peephole, h, work->c + b * n);
      else if (s->kind == CELL_GRU)
        NAME(gru_row)(s, gates, work->reset + b * n, h);
      else
        for (int64_t i = 0; i < n; i++) h[i] = NAME(activate)(&s->activations[0], (T)s->clip, gates[i]);
      if (y) memcpy(y + t * s->y_step + b * s->y_row, h, (size_t)n * sizeof(T));
    }
  }
}

/* All directions: reads the node's tensors, writes its outputs. */
static rango_status NAME(recurrent_compute)(rg_exec *exec, recurrent *s, const operands *in, const results *out) {
  int64_t n = s->hidden, width = s->gates * n, dirs = s->directions, total;
  NAME(work) work = {0};
  T *rows = NULL, *x = in->x->data;
  if (!rg_mul_i64(s->steps * s->batch, width, &total))
    return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the input is too large");
  RG_TRY(rg_scratch_array(exec, total, sizeof(T), RG_OUT(&work.projected)));
  RG_TRY(rg_scratch_array(exec, s->batch * width, sizeof(T), RG_OUT(&work.gates)));
  RG_TRY(rg_scratch_array(exec, s->batch * n, sizeof(T), RG_OUT(&work.reset)));
  RG_TRY(rg_scratch_array(exec, s->batch * n, sizeof(T), RG_OUT(&work.h)));
  RG_TRY(rg_scratch_array(exec, s->batch * n, sizeof(T), RG_OUT(&work.c)));
  RG_TRY(rg_scratch_array(exec, s->batch * n, sizeof(T), RG_OUT(&rows)));
  if (s->batch_first) { /* the loops want [steps][batch][input] */
    RG_TRY(rg_scratch_array(exec, rg_tensor_elements(in->x), sizeof(T), RG_OUT(&x)));
    for (int64_t b = 0; b < s->batch; b++)
      for (int64_t t = 0; t < s->steps; t++)
        memcpy(x + (t * s->batch + b) * s->input, (const T *)in->x->data + (b * s->steps + t) * s->input,
               (size_t)s->input * sizeof(T));
  }
  if (out->y) memset(out->y->data, 0, out->y->bytes);
  for (int64_t d = 0; d < dirs; d++) {
    const T *bias = in->bias ? (const T *)in->bias->data + d * 2 * width : NULL;
    const T *peephole = in->peephole ? (const T *)in->peephole->data + d * 3 * n : NULL;
    s->reverse = s->first_reverse || d == 1;
    s->activations = &s->all_activations[d * 3];
    for (int64_t b = 0; b < s->batch; b++) {
      int64_t at = (s->batch_first ? b * dirs + d : d * s->batch + b) * n;
      for (int64_t i = 0; i < n; i++) {
        work.h[b * n + i] = in->h ? ((const T *)in->h->data)[at + i] : 0;
        work.c[b * n + i] = in->c ? ((const T *)in->c->data)[at + i] : 0;
      }
    }
    NAME(project)(s, x, (const T *)in->w->data + d * width * s->input, bias, work.projected);
    NAME(run_direction)
    (s, (const T *)in->r->data + d * width * n, bias, peephole, &work, rows,
     out->y ? (T *)out->y->data + d * (s->batch_first ? n : s->batch * n) : NULL);
    for (int64_t b = 0; b < s->batch; b++) {
      int64_t at = (s->batch_first ? b * dirs + d : d * s->batch + b) * n;
      if (out->h) memcpy((T *)out->h->data + at, work.h + b * n, (size_t)n * sizeof(T));
      if (out->c) memcpy((T *)out->c->data + at, work.c + b * n, (size_t)n * sizeof(T));
    }
  }
  return RANGO_OK;
}
