/* What calibration rows say about every site: one pass over the data with the sites' inputs as extra outputs of a copy
 * of the model, or several passes where the second moments of all sites don't fit into the memory bound at once. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "compress/compress.h"
#include "compress/stats_file.h"

/* Where a covariance of the inputs is needed: the pair's whitened form, and a convolution's other forms. Otherwise the
 * outputs' does. */
bool rg_site_wants_covariance(const rg_site *site) {
  if (site->inputs > RG_COVARIANCE_MAX || site->groups > 1) return false;
  return site->outputs > site->inputs || site->kernel_h > 1 || site->kernel_w > 1;
}

void rg_statistics_free(rg_statistics *statistics) {
  rg_free(statistics->outputs);
  rg_free(statistics->skip);
  rg_free(statistics->input_mean);
  rg_free(statistics->output_mean);
  rg_free(statistics->input_covariance);
  rg_free(statistics->covariance);
  rg_free(statistics->metric);
  rg_free(statistics->balance);
  *statistics = (rg_statistics){0};
}

rango_status rg_statistics_settle(const rg_site *site, bool keep, rg_statistics *statistics) {
  if (statistics->input_covariance && keep) {
    int64_t count = site->inputs * site->inputs;
    RG_TRY(rg_alloc((size_t)count * sizeof(float), RG_OUT(&statistics->covariance)));
    for (int64_t i = 0; i < count; i++) statistics->covariance[i] = (float)statistics->input_covariance[i];
  }
  rg_free(statistics->input_covariance);
  statistics->input_covariance = NULL;
  return RANGO_OK;
}

rango_status rg_calibration_progress(const rg_calibration *calibration, double fraction, const char *stage) {
  if (calibration->progress && !calibration->progress(calibration->user, fraction, stage))
    RG_FAIL(RANGO_ERROR_CANCELLED, "stopped while %s", stage);
  return RANGO_OK;
}

/* One pass over the data: sites [begin, end) of the collection. */
typedef struct pass {
  rg_collection *c;
  const rg_calibration *calibration;
  rg_checkpoint *checkpoint;   /* or NULL */
  rg_statistics_visitor visit; /* or NULL */
  void *user;
  int64_t *capacity; /* [sites->count] rows that outputs has room for */
} pass;

static rango_status expose(rg_graph *graph, int id) {
  rg_value *value = rg_find_value(graph, id);
  return value && value->producer && !value->output_uses ? rg_graph_add_output(graph, value) : RANGO_OK;
}

/* A copy of the model whose outputs are the inputs of the pass's sites and what is added to their outputs, each once;
 * the graph's own inputs not among them. */
static rango_status make_exposed(const rango_model *model, const pass *p, rango_model **out) {
  RG_TRY(rg_model_copy(model, out));
  rg_graph *graph = (*out)->graph;
  while (graph->outputs.count) graph->outputs.items[--graph->outputs.count]->output_uses--;
  rango_status status = RANGO_OK;
  for (int64_t i = p->c->begin; i < p->c->end && status == RANGO_OK; i++) {
    status = expose(graph, p->c->sites->items[i].input);
    if (status == RANGO_OK && p->c->sites->items[i].skip >= 0) status = expose(graph, p->c->sites->items[i].skip);
  }
  int changes = 0;
  if (status == RANGO_OK) status = rg_pass_remove_dead(*out, &changes);
  if (status != RANGO_OK) {
    rg_model_release(*out);
    *out = NULL;
  }
  return status;
}

/* The tensor of value `id` in a run of the exposed model. */
static const rango_tensor *exposed_tensor(const rango_model *exposed, rango_tensor *const *inputs,
                                          rango_tensor *const *outputs, int id) {
  const rg_graph *graph = exposed->graph;
  for (size_t i = 0; i < graph->outputs.count; i++)
    if (graph->outputs.items[i]->id == id) return outputs[i];
  size_t next = 0; /* inputs that are not initializers count */
  for (size_t i = 0; i < graph->inputs.count; i++) {
    if (graph->inputs.items[i]->constant) continue;
    if (graph->inputs.items[i]->id == id) return inputs[next];
    next++;
  }
  return NULL;
}

static rango_status reserve_rows(const rg_site *site, rg_statistics *statistics, int64_t *capacity, int64_t count) {
  size_t bytes;
  if (statistics->rows + count <= *capacity) return RANGO_OK;
  int64_t wanted = statistics->rows + count > 2 * *capacity ? statistics->rows + count : 2 * *capacity;
  RG_FAIL_IF(!rg_mul_size((size_t)wanted, (size_t)site->outputs * sizeof(float), &bytes), RANGO_ERROR_LIMIT,
             "node '%s': too many rows", site->name);
  RG_TRY(rg_realloc((void **)&statistics->outputs, bytes));
  if (site->skip >= 0) RG_TRY(rg_realloc((void **)&statistics->skip, bytes));
  *capacity = wanted;
  return RANGO_OK;
}

/* Some columns of the site's outputs. */
static rango_status multiply_block(const rg_site *site, const float *rows, int64_t count, int64_t begin, int64_t end,
                                   float *to) {
  int64_t columns = end - begin;
  float *block = NULL;
  RG_TRY(rg_alloc((size_t)(count * columns) * sizeof *block, RG_OUT(&block)));
  rg_matmul_float(false, true, count, columns, site->inputs, rows, site->matrix + begin * site->inputs, block);
  for (int64_t i = 0; i < count; i++)
    memcpy(to + i * site->outputs + begin, block + i * columns, (size_t)columns * sizeof *block);
  rg_free(block);
  rg_site_forget_pages(site);
  return RANGO_OK;
}

/* outputs = rows * matrix' + offset, appended to the site's. Of a large weight a part at a time is in memory. */
static rango_status add_outputs(const rg_site *site, rg_statistics *statistics, const float *rows, int64_t count) {
  int64_t n = site->outputs, columns = RG_WEIGHT_LARGE / (int64_t)sizeof(float) / site->inputs;
  float *to = statistics->outputs + statistics->rows * n;
  if (columns < 1) columns = 1;
  if (!rg_site_is_large(site)) rg_matmul_float(false, true, count, n, site->inputs, rows, site->matrix, to);
  for (int64_t begin = 0; begin < n && rg_site_is_large(site); begin += columns)
    RG_TRY(multiply_block(site, rows, count, begin, begin + columns < n ? begin + columns : n, to));
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < n; j++) to[i * n + j] += site->offset[j];
  return RANGO_OK;
}

/* A site's tensors in one run. */
typedef struct site_tensors {
  const rango_tensor *input, *skip;
  int64_t batch, batch_rows;
} site_tensors;

/* Something else than a tensor of the output's shape may be added to it (broadcast): then it doesn't count. */
static bool skip_fits(const rg_site *site, const rango_tensor *skip, int64_t available) {
  int64_t count;
  return skip && skip->type == RANGO_FLOAT32 && rg_shape_count(&skip->shape, &count) == RANGO_OK &&
         count == available * site->outputs;
}

static rango_status add_site(pass *p, int64_t i, const site_tensors *run) {
  rg_site *site = &p->c->sites->items[i];
  rg_statistics *statistics = &p->c->statistics[i];
  const rg_calibration *calibration = p->calibration;
  int64_t available, *positions = NULL;
  RG_TRY(rg_site_measure(site, run->input, run->batch_rows, &available));
  if (site->kind == RG_SITE_EMBEDDING) return rg_embedding_add(site, run->input, &p->c->moments[i]);
  int64_t count = rg_sample_count(&calibration->sampling, available, run->batch_rows, calibration->data->rows);
  float *rows = NULL;
  rango_status status;
  if (site->skip >= 0 && !skip_fits(site, run->skip, available)) site->skip = -1;
  RG_TRY_DONE(rg_alloc((size_t)(count * site->inputs) * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc((size_t)count * sizeof *positions, RG_OUT(&positions)));
  RG_TRY_DONE(reserve_rows(site, statistics, &p->capacity[i], count));
  rg_sample_positions(&calibration->sampling, site, run->batch, available, count, positions);
  RG_TRY_DONE(rg_site_gather(site, run->input, positions, count, rows));
  status = rg_moments_add(&p->c->moments[i], rows, count);
  if (status == RANGO_ERROR_NUMERIC) {
    int64_t first = run->batch * calibration->batch;
    status = rg_fail(status, "calibration rows %lld to %lld: the input of node '%s' (%s) holds a NaN or infinity",
                     (long long)first, (long long)(first + run->batch_rows - 1), site->name, site->op);
    goto done;
  }
  RG_TRY_DONE(status);
  RG_TRY_DONE(add_outputs(site, statistics, rows, count));
  if (site->skip >= 0)
    RG_TRY_DONE(
        rg_site_gather_output(site, run->skip, positions, count, statistics->skip + statistics->rows * site->outputs));
  statistics->rows += count;
done:
  rg_free(rows);
  rg_free(positions);
  return status;
}

static rango_status run_batch(pass *p, const rango_model *exposed, rango_session *session, int64_t batch,
                              rango_tensor **inputs, rango_tensor **outputs) {
  const rg_calibration *calibration = p->calibration;
  size_t input_count = calibration->data->count, output_count = exposed->graph->outputs.count;
  int64_t begin = batch * calibration->batch, end = begin + calibration->batch;
  if (end > calibration->data->rows) end = calibration->data->rows;
  RG_TRY(rango_dataset_batch(calibration->data, begin, end, inputs, input_count));
  if (output_count)
    RG_TRY(rango_session_run(session, (const rango_tensor *const *)inputs, input_count, outputs, output_count));
  for (int64_t i = p->c->begin; i < p->c->end; i++) {
    const rg_site *site = &p->c->sites->items[i];
    site_tensors run = {.input = exposed_tensor(exposed, inputs, outputs, site->input),
                        .skip = exposed_tensor(exposed, inputs, outputs, site->skip),
                        .batch = batch,
                        .batch_rows = end - begin};
    RG_FAIL_IF(!run.input, RANGO_ERROR_INTERNAL, "node '%s' (%s): its input can't be reached", site->name, site->op);
    RG_TRY(add_site(p, i, &run));
  }
  rg_tensors_free(inputs, input_count);
  rg_tensors_free(outputs, output_count);
  return RANGO_OK;
}

/* After each batch. Who asks to stop finds everything so far in the checkpoint. */
static rango_status report(const pass *p) {
  rg_collection *c = p->c;
  double done = (double)c->batch / (double)p->calibration->batches * (p->visit ? 0.5 : 1);
  double share = (double)c->begin + done * (double)(c->end - c->begin);
  rango_status status =
      rg_calibration_progress(p->calibration, share / (double)c->sites->count, "collecting statistics");
  if (!p->checkpoint) return status;
  rango_status saved = rg_checkpoint_save(p->checkpoint, c, status != RANGO_OK);
  return saved == RANGO_OK ? status : saved;
}

static rango_status run_pass(const rango_model *model, pass *p) {
  const rg_calibration *calibration = p->calibration;
  size_t input_count = calibration->data->count, output_count = 0;
  rango_model *exposed = NULL;
  rango_session *session = NULL;
  rango_tensor **inputs = NULL, **outputs = NULL;
  rango_status status;
  RG_TRY_DONE(make_exposed(model, p, &exposed));
  output_count = exposed->graph->outputs.count;
  if (output_count) RG_TRY_DONE(rango_session_create(exposed, &calibration->session, &session));
  RG_TRY_DONE(rg_calloc(input_count, sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc(output_count, sizeof *outputs, RG_OUT(&outputs)));
  while (p->c->batch < calibration->batches) {
    RG_TRY_DONE(run_batch(p, exposed, session, p->c->batch, inputs, outputs));
    p->c->batch++;
    RG_TRY_DONE(report(p));
  }
done:
  if (inputs) rg_tensors_free(inputs, input_count);
  if (outputs) rg_tensors_free(outputs, output_count);
  rg_free(inputs);
  rg_free(outputs);
  rango_session_free(session);
  rango_model_free(exposed);
  return status;
}

static void output_mean(const rg_site *site, rg_statistics *statistics) {
  for (int64_t j = 0; j < site->outputs; j++) {
    double sum = site->offset[j];
    for (int64_t i = 0; i < site->inputs; i++)
      sum += (double)site->matrix[j * site->inputs + i] * statistics->input_mean[i];
    statistics->output_mean[j] = sum;
    if (j % 512 == 511) rg_site_forget_pages(site);
  }
  rg_site_forget_pages(site);
}

static rango_status finish_site(const rg_site *site, rg_moments *moments, rg_statistics *statistics) {
  RG_TRY(rg_alloc((size_t)site->inputs * sizeof(double), RG_OUT(&statistics->input_mean)));
  RG_TRY(rg_alloc((size_t)site->outputs * sizeof(double), RG_OUT(&statistics->output_mean)));
  if (moments->gram)
    RG_TRY(rg_alloc((size_t)(site->inputs * site->inputs) * sizeof(double), RG_OUT(&statistics->input_covariance)));
  RG_TRY(rg_moments_finish(moments, statistics->input_mean, statistics->input_covariance));
  rg_moments_free(moments);
  if (site->kind == RG_SITE_EMBEDDING) rg_embedding_finish(site, statistics);
  output_mean(site, statistics);
  if (statistics->balance) rg_embedding_leave_out(site, statistics->balance, statistics);
  return RANGO_OK;
}

/* Sites from `begin` whose moments fit into the bound together; at least one. Large weights, which the pass's session
 * packs, don't share it with many moments. */
static int64_t pass_end(const rg_sites *sites, int64_t begin, int64_t bound) {
  int64_t bytes = 0, end = begin;
  for (; end < (int64_t)sites->count; end++) {
    const rg_site *site = &sites->items[end];
    int64_t more = rg_moments_bytes(site->inputs, rg_site_wants_covariance(site));
    if (end > begin && more > bound - bytes) break;
    if (end > begin && rg_site_is_large(site) && !rg_site_is_large(site - 1)) break;
    bytes += more < bound - bytes ? more : bound - bytes;
  }
  return end;
}

static rango_status begin_pass(pass *p) {
  rg_collection *c = p->c;
  c->batch = 0;
  c->end = pass_end(c->sites, c->begin, p->calibration->memory_bytes / 2);
  for (int64_t i = c->begin; i < c->end; i++) {
    const rg_site *site = &c->sites->items[i];
    if (site->kind == RG_SITE_EMBEDDING) {
      RG_TRY(rg_embedding_begin(site, &c->moments[i]));
      continue;
    }
    bool covariance = !p->calibration->means_only && rg_site_wants_covariance(site);
    RG_TRY(rg_moments_create(&c->moments[i], site->inputs, covariance));
  }
  return RANGO_OK;
}

static rango_status collect(const rango_model *model, pass *p) {
  rg_collection *c = p->c;
  int64_t count = (int64_t)c->sites->count;
  rango_status status = RANGO_OK;
  RG_TRY_DONE(rg_calloc(c->sites->count, sizeof *p->capacity, RG_OUT(&p->capacity)));
  for (int64_t i = 0; i < count; i++) p->capacity[i] = c->statistics[i].rows;
  while (c->begin < count) {
    rg_memory_trim();
    if (c->end == c->begin) RG_TRY_DONE(begin_pass(p));
    RG_TRY_DONE(run_pass(model, p));
    for (int64_t i = c->begin; i < c->end; i++)
      RG_TRY_DONE(finish_site(&c->sites->items[i], &c->moments[i], &c->statistics[i]));
    if (p->visit) RG_TRY_DONE(p->visit(p->user, (size_t)c->begin, (size_t)c->end));
    c->begin = c->end;
  }
done:
  rg_free(p->capacity);
  return status;
}

rango_status rg_statistics_continue(const rango_model *model, const rg_calibration *calibration, rg_collection *c,
                                    rg_checkpoint *checkpoint) {
  pass p = {.c = c, .calibration = calibration, .checkpoint = checkpoint};
  return collect(model, &p);
}

rango_status rg_statistics_collect(const rango_model *model, rg_sites *sites, const rg_calibration *calibration,
                                   rg_statistics *statistics, rg_statistics_visitor visit, void *user) {
  rg_collection c = {.sites = sites, .statistics = statistics};
  pass p = {.c = &c, .calibration = calibration, .visit = visit, .user = user};
  RG_TRY(rg_calloc(sites->count, sizeof *c.moments, RG_OUT(&c.moments)));
  rango_status status = collect(model, &p);
  for (size_t i = 0; i < sites->count; i++) rg_moments_free(&c.moments[i]);
  rg_free(c.moments);
  return status;
}
