/* A small network as the way back from a projection, fitted with derivatives written out. */
#include "manifold/decoder.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "linalg/linalg.h"

#define ROWS_LEAST 10
#define HELD_OUT   5 /* every so many rows */
#define BATCH      64
#define EPOCHS     200
#define PATIENCE   40 /* epochs without a better held-out error */
#define RATE       2e-3
#define RIDGE      1e-6

/* Parameters in one vector: first [h][p], first bias [h], second [h][n], second bias [n]. */
typedef struct network {
  int64_t p, h, n, count;
  double *w1, *b1, *w2, *b2;
} network;

static network view(double *parameters, int64_t p, int64_t h, int64_t n) {
  network net = {p, h, n, h * p + h + h * n + n, parameters, NULL, NULL, NULL};
  net.b1 = net.w1 + h * p;
  net.w2 = net.b1 + h;
  net.b2 = net.w2 + h * n;
  return net;
}

/* Standardised rows, those held out last. */
typedef struct rows {
  int64_t train, all;
  double *z, *y;             /* [all][p], [all][n] */
  double *mean_z, *scale_z;  /* [p] */
  double *mean_y, scale_y;   /* [n] */
  double *active, *residual; /* [all][h], [all][n]: work space */
} rows;

static void rows_free(rows *r) {
  rg_free(r->z);
  rg_free(r->y);
  rg_free(r->mean_z);
  rg_free(r->scale_z);
  rg_free(r->mean_y);
  rg_free(r->active);
  rg_free(r->residual);
}

/* from [count][columns] to `to`, every HELD_OUT-th row behind the others, less the training rows' mean. */
static void arrange(const float *from, int64_t count, int64_t columns, int64_t train, double *to, double *mean) {
  int64_t at = 0, held = train;
  for (int64_t i = 0; i < count; i++) {
    double *row = to + (i % HELD_OUT == HELD_OUT - 1 ? held++ : at++) * columns;
    for (int64_t j = 0; j < columns; j++) row[j] = from[i * columns + j];
  }
  for (int64_t j = 0; j < columns; j++) {
    mean[j] = 0;
    for (int64_t i = 0; i < train; i++) mean[j] += to[i * columns + j] / (double)train;
    for (int64_t i = 0; i < count; i++) to[i * columns + j] -= mean[j];
  }
}

static rango_status rows_create(const float *z, const float *y, int64_t count, int64_t p, int64_t n, int64_t h,
                                rows *r) {
  r->all = count;
  r->train = count - count / HELD_OUT;
  RG_TRY(rg_alloc((size_t)(count * p) * sizeof *r->z, RG_OUT(&r->z)));
  RG_TRY(rg_alloc((size_t)(count * n) * sizeof *r->y, RG_OUT(&r->y)));
  RG_TRY(rg_alloc((size_t)p * sizeof *r->mean_z, RG_OUT(&r->mean_z)));
  RG_TRY(rg_alloc((size_t)p * sizeof *r->scale_z, RG_OUT(&r->scale_z)));
  RG_TRY(rg_alloc((size_t)n * sizeof *r->mean_y, RG_OUT(&r->mean_y)));
  RG_TRY(rg_alloc((size_t)(count * h) * sizeof *r->active, RG_OUT(&r->active)));
  RG_TRY(rg_alloc((size_t)(count * n) * sizeof *r->residual, RG_OUT(&r->residual)));
  arrange(z, count, p, r->train, r->z, r->mean_z);
  arrange(y, count, n, r->train, r->y, r->mean_y);
  double square = 0;
  for (int64_t i = 0; i < r->train * n; i++) square += r->y[i] * r->y[i];
  r->scale_y = square > 0 ? sqrt(square / (double)(r->train * n)) : 1;
  for (int64_t i = 0; i < count * n; i++) r->y[i] /= r->scale_y;
  for (int64_t j = 0; j < p; j++) {
    double sum = 0;
    for (int64_t i = 0; i < r->train; i++) sum += r->z[i * p + j] * r->z[i * p + j];
    r->scale_z[j] = sum > 0 ? sqrt(sum / (double)r->train) : 1;
    for (int64_t i = 0; i < count; i++) r->z[i * p + j] /= r->scale_z[j];
  }
  return RANGO_OK;
}

/* residual = network(z) - y over rows [begin, begin + size); returns its squared norm. */
static double forward(const network *net, const rows *r, int64_t begin, int64_t size) {
  double *active = r->active, *residual = r->residual, square = 0;
  rg_matmul(false, true, size, net->h, net->p, 1.0, r->z + begin * net->p, net->w1, 0.0, active);
  for (int64_t i = 0; i < size * net->h; i++) active[i] = fmax(active[i] + net->b1[i % net->h], 0);
  rg_matmul(false, false, size, net->n, net->h, 1.0, active, net->w2, 0.0, residual);
  for (int64_t i = 0; i < size * net->n; i++) {
    residual[i] += net->b2[i % net->n] - r->y[begin * net->n + i];
    square += residual[i] * residual[i];
  }
  return square;
}

/* Derivatives of half the mean squared residual of the rows that `forward` saw last. */
static void backward(const network *net, const rows *r, int64_t begin, int64_t size, double *back, network *gradient) {
  double weight = 1.0 / (double)(size * net->n);
  rg_matmul(true, false, net->h, net->n, size, weight, r->active, r->residual, 0.0, gradient->w2);
  rg_matmul(false, true, size, net->h, net->n, weight, r->residual, net->w2, 0.0, back);
  memset(gradient->b2, 0, (size_t)net->n * sizeof *gradient->b2);
  memset(gradient->b1, 0, (size_t)net->h * sizeof *gradient->b1);
  for (int64_t i = 0; i < size * net->n; i++) gradient->b2[i % net->n] += weight * r->residual[i];
  for (int64_t i = 0; i < size * net->h; i++) {
    if (!(r->active[i] > 0)) back[i] = 0;
    gradient->b1[i % net->h] += back[i];
  }
  rg_matmul(true, false, net->h, net->p, size, 1.0, back, r->z + begin * net->p, 0.0, gradient->w1);
}

static void adam(double *parameters, const double *gradient, double *moments, int64_t count, int64_t step,
                 double rate) {
  double *first = moments, *second = moments + count;
  double unbias1 = 1 - pow(0.9, (double)step), unbias2 = 1 - pow(0.999, (double)step);
  for (int64_t i = 0; i < count; i++) {
    first[i] = 0.9 * first[i] + 0.1 * gradient[i];
    second[i] = 0.999 * second[i] + 0.001 * gradient[i] * gradient[i];
    parameters[i] -= rate * (first[i] / unbias1) / (sqrt(second[i] / unbias2) + 1e-8);
  }
}

/* The linear solution on the first 2p units, small random directions that nothing reads yet on the others. */
static rango_status start(const rows *r, rg_random *random, network *net) {
  const int64_t p = net->p, h = net->h, n = net->n;
  double *gram = NULL, *solution = NULL;
  rango_status status;
  memset(net->w1, 0, (size_t)net->count * sizeof *net->w1);
  RG_TRY_DONE(rg_alloc((size_t)(p * p) * sizeof *gram, RG_OUT(&gram)));
  RG_TRY_DONE(rg_alloc((size_t)(p * n) * sizeof *solution, RG_OUT(&solution)));
  rg_matmul(true, false, p, p, r->train, 1.0, r->z, r->z, 0.0, gram);
  rg_matmul(true, false, p, n, r->train, 1.0, r->z, r->y, 0.0, solution);
  RG_TRY_DONE(rg_ridge_solve(gram, p, RIDGE, solution, n));
  int64_t linear = h >= 2 * p ? p : 0;
  for (int64_t i = 0; i < linear; i++) {
    net->w1[2 * i * p + i] = 1;
    net->w1[(2 * i + 1) * p + i] = -1;
    for (int64_t j = 0; j < n; j++) {
      net->w2[2 * i * n + j] = solution[i * n + j];
      net->w2[(2 * i + 1) * n + j] = -solution[i * n + j];
    }
  }
  for (int64_t i = 2 * linear; i < h; i++) {
    for (int64_t j = 0; j < p; j++) net->w1[i * p + j] = rg_random_normal(random) * sqrt(2.0 / (double)p);
    net->b1[i] = rg_random_normal(random);
    for (int64_t j = 0; j < n && linear == 0; j++) net->w2[i * n + j] = rg_random_normal(random) / sqrt((double)h);
  }
done:
  rg_free(gram);
  rg_free(solution);
  return status;
}

static double held_out_error(const network *net, const rows *r) {
  double total = 0;
  for (int64_t i = r->train * net->n; i < r->all * net->n; i++) total += r->y[i] * r->y[i];
  return total > 0 ? sqrt(forward(net, r, r->train, r->all - r->train) / total) : 0;
}

/* Rows of the training part change places, so that batches differ. */
static void shuffle(const rows *r, int64_t p, int64_t n, rg_random *random) {
  for (int64_t i = r->train - 1; i > 0; i--) {
    int64_t j = (int64_t)rg_random_below(random, (uint64_t)i + 1);
    for (int64_t k = 0; k < p; k++) {
      double t = r->z[i * p + k];
      r->z[i * p + k] = r->z[j * p + k];
      r->z[j * p + k] = t;
    }
    for (int64_t k = 0; k < n; k++) {
      double t = r->y[i * n + k];
      r->y[i * n + k] = r->y[j * n + k];
      r->y[j * n + k] = t;
    }
  }
}

/* parameters, gradient, the best so far and Adam's two moments lie behind each other in `memory`. */
static void train(const rows *r, network *net, double *memory, double *back, rg_random *random, double *best_error) {
  network gradient = view(memory + net->count, net->p, net->h, net->n);
  double *best = memory + 2 * net->count, *moments = memory + 3 * net->count;
  int64_t step = 0, since = 0;
  *best_error = held_out_error(net, r);
  memcpy(best, net->w1, (size_t)net->count * sizeof *best);
  for (int epoch = 0; epoch < EPOCHS && since < PATIENCE; epoch++, since++) {
    shuffle(r, net->p, net->n, random);
    double rate = RATE * 0.5 * (1 + cos(acos(-1) * epoch / EPOCHS));
    for (int64_t begin = 0; begin < r->train; begin += BATCH) {
      int64_t size = r->train - begin < BATCH ? r->train - begin : BATCH;
      forward(net, r, begin, size);
      backward(net, r, begin, size, back, &gradient);
      adam(net->w1, gradient.w1, moments, net->count, ++step, rate);
    }
    double error = held_out_error(net, r);
    if (!(error < *best_error)) continue;
    *best_error = error;
    since = 0;
    memcpy(best, net->w1, (size_t)net->count * sizeof *best);
  }
  memcpy(net->w1, best, (size_t)net->count * sizeof *best);
}

/* Undoes the standardising in the weights. */
static void keep(const network *net, const rows *r, rg_decoder *out) {
  for (int64_t i = 0; i < net->h; i++) {
    double bias = net->b1[i];
    for (int64_t j = 0; j < net->p; j++) {
      double weight = net->w1[i * net->p + j] / r->scale_z[j];
      out->first[i * net->p + j] = (float)weight;
      bias -= weight * r->mean_z[j];
    }
    out->first_bias[i] = (float)bias;
    for (int64_t j = 0; j < net->n; j++) out->second[j * net->h + i] = (float)(net->w2[i * net->n + j] * r->scale_y);
  }
  for (int64_t j = 0; j < net->n; j++) out->second_bias[j] = (float)(net->b2[j] * r->scale_y + r->mean_y[j]);
}

static rango_status decoder_create(int64_t p, int64_t h, int64_t n, rg_decoder *out) {
  *out = (rg_decoder){.inputs = p, .hidden = h, .outputs = n};
  RG_TRY(rg_alloc((size_t)(h * p) * sizeof *out->first, RG_OUT(&out->first)));
  RG_TRY(rg_alloc((size_t)h * sizeof *out->first_bias, RG_OUT(&out->first_bias)));
  RG_TRY(rg_alloc((size_t)(n * h) * sizeof *out->second, RG_OUT(&out->second)));
  return rg_alloc((size_t)n * sizeof *out->second_bias, RG_OUT(&out->second_bias));
}

rango_status rg_decoder_fit(const float *z, const float *y, int64_t count, int64_t inputs, int64_t outputs,
                            int64_t hidden, uint64_t seed, rg_decoder *out) {
  RG_FAIL_IF(count < ROWS_LEAST || inputs < 1 || outputs < 1 || hidden < 1, RANGO_ERROR_ARGUMENT,
             "decoder of %lld coordinates from %lld rows", (long long)inputs, (long long)count);
  rows r = {0};
  double *memory = NULL, *back = NULL;
  network net = view(NULL, inputs, hidden, outputs);
  rango_status status;
  rg_random random;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(decoder_create(inputs, hidden, outputs, out));
  RG_TRY_DONE(rows_create(z, y, count, inputs, outputs, hidden, &r));
  RG_TRY_DONE(rg_calloc((size_t)(5 * net.count), sizeof *memory, RG_OUT(&memory)));
  RG_TRY_DONE(rg_alloc((size_t)(BATCH * hidden) * sizeof *back, RG_OUT(&back)));
  net = view(memory, inputs, hidden, outputs);
  RG_TRY_DONE(start(&r, &random, &net));
  out->linear_error = hidden >= 2 * inputs ? held_out_error(&net, &r) : NAN;
  train(&r, &net, memory, back, &random, &out->error);
  keep(&net, &r, out);
done:
  if (status != RANGO_OK) rg_decoder_free(out);
  rows_free(&r);
  rg_free(memory);
  rg_free(back);
  return status;
}

rango_status rg_decoder_apply(const rg_decoder *decoder, const float *z, int64_t count, float *y) {
  const int64_t h = decoder->hidden, n = decoder->outputs;
  float *active = NULL;
  RG_TRY(rg_alloc((size_t)(count * h) * sizeof *active, RG_OUT(&active)));
  rg_matmul_float(false, true, count, h, decoder->inputs, z, decoder->first, active);
  for (int64_t i = 0; i < count * h; i++) active[i] = fmaxf(active[i] + decoder->first_bias[i % h], 0);
  rg_matmul_float(false, true, count, n, h, active, decoder->second, y);
  for (int64_t i = 0; i < count * n; i++) y[i] += decoder->second_bias[i % n];
  rg_free(active);
  return RANGO_OK;
}

void rg_decoder_free(rg_decoder *decoder) {
  rg_free(decoder->first);
  rg_free(decoder->first_bias);
  rg_free(decoder->second);
  rg_free(decoder->second_bias);
  *decoder = (rg_decoder){0};
}
