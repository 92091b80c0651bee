/* rango_session: the public calls. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/session.h"

#define DEFAULT_PLANS 8
#define MOST_PLANS    4096
#define FIRST_OPTIONS offsetof(rango_session_options, on_node) /* size of the first version: callers may be older */

/* ---- creating ---- */

static rango_status read_options(const rango_session_options *given, rango_session_options *out) {
  *out = (rango_session_options){.struct_size = sizeof *out};
  if (given) {
    RG_FAIL_IF(given->struct_size < FIRST_OPTIONS || given->struct_size > sizeof *given, RANGO_ERROR_ARGUMENT,
               "rango_session_options.struct_size is %zu, needs to be %zu", given->struct_size, sizeof *given);
    memcpy(out, given, given->struct_size);
  }
  RG_FAIL_IF((int)out->device < RANGO_DEVICE_CPU || out->device > RANGO_DEVICE_METAL, RANGO_ERROR_ARGUMENT,
             "there is no device %d", (int)out->device);
  RG_FAIL_IF(out->threads < 0, RANGO_ERROR_ARGUMENT, "threads is %d, needs to be 0 (one for each core) or more",
             out->threads);
  RG_FAIL_IF(out->max_plans < 0 || out->max_plans > MOST_PLANS, RANGO_ERROR_ARGUMENT,
             "max_plans is %d, needs to be 0 (the default) to %d", out->max_plans, MOST_PLANS);
  if (out->max_plans == 0) out->max_plans = DEFAULT_PLANS;
  return RANGO_OK;
}

static rango_status open_device(rango_session *session, const rango_session_options *options) {
  if (options->device == RANGO_DEVICE_REFERENCE) return RANGO_OK;
  RG_TRY(rg_kernels_get(options->isa, &session->kernels));
  snprintf(session->where, sizeof session->where, "cpu %s", rg_kernels_isa(session->kernels));
  if (options->pool) {
    session->threads = options->pool;
  } else if (options->threads != 1) {
    RG_TRY(rango_threads_create(options->threads, &session->threads));
    session->owns_threads = true;
  }
  return RANGO_OK;
}

static rango_status open_gpu(rango_session *session, const rango_model *model, const rango_session_options *options) {
  if (options->device != RANGO_DEVICE_VULKAN && options->device != RANGO_DEVICE_METAL) return RANGO_OK;
  RG_TRY(rg_gpu_library_find(&session->gpu));
  RG_TRY(
      session->gpu->open(options->device == RANGO_DEVICE_METAL ? "metal" : "vulkan", options->gpu, &session->device));
  RG_FAIL_IF(options->gpu_half && !session->device->info.half, RANGO_ERROR_DEVICE, "%s has no 16-bit storage",
             session->device->info.name);
  session->half = options->gpu_half;
  return rg_program_weights_open(model, session->gpu, session->device, &session->device_weights);
}

static rango_status session_open(rango_session *session, const rango_model *model,
                                 const rango_session_options *options) {
  session->max_plans = options->max_plans;
  RG_TRY(open_device(session, options));
  RG_TRY(rg_program_get(model, options->device, &session->program));
  RG_TRY(rg_program_packed(model, &session->packed));
  RG_TRY(open_gpu(session, model, options));
  const rango_model *program = session->program->model;
  size_t inputs = program->graph->inputs.count, outputs = program->graph->outputs.count;
  RG_TRY(rg_pool_create(&session->pool));
  RG_TRY(rg_runner_create(program->graph, &session->main));
  RG_TRY(rg_calloc(inputs + 1, sizeof *session->inputs, RG_OUT(&session->inputs)));
  RG_TRY(rg_calloc(inputs + 1, sizeof *session->input_list, RG_OUT(&session->input_list)));
  RG_TRY(rg_calloc(outputs + 1, sizeof *session->outputs, RG_OUT(&session->outputs)));
  RG_TRY(rg_calloc(inputs + 1, sizeof *session->piece_inputs, RG_OUT(&session->piece_inputs)));
  RG_TRY(rg_calloc(inputs + 1, sizeof *session->piece_list, RG_OUT(&session->piece_list)));
  RG_TRY(rg_calloc(outputs + 1, sizeof *session->piece_outputs, RG_OUT(&session->piece_outputs)));
  for (size_t i = 0; i < inputs; i++) {
    session->input_list[i] = &session->inputs[i];
    session->piece_list[i] = &session->piece_inputs[i];
  }
  session->on_node = options->on_node;
  session->on_node_user = options->on_node_user;
  session->made_at = rg_profile_clock();
  return options->profile ? rg_profile_create(program, &session->profile) : RANGO_OK;
}

rango_status rango_session_create(const rango_model *model, const rango_session_options *given, rango_session **out) {
  RG_FAIL_IF(!model || !out, RANGO_ERROR_ARGUMENT, "rango_session_create: model and out must not be NULL");
  *out = NULL;
  rango_session_options options;
  RG_TRY(read_options(given, &options));
  rango_session *session;
  RG_TRY(rg_calloc(1, sizeof *session, RG_OUT(&session)));
  session->model = rg_model_retain((rango_model *)model);
  rango_status status = session_open(session, model, &options);
  if (status == RANGO_OK)
    *out = session;
  else
    rango_session_free(session);
  return status;
}

void rango_session_free(rango_session *session) {
  if (!session) return;
  rg_runner_free(session->main);
  for (size_t i = 0; i < session->bodies.count; i++) rg_runner_free(session->bodies.items[i]);
  rg_free(session->bodies.items);
  for (int i = 0; i < RG_MAX_DEPTH; i++) rg_free(session->arenas[i].data);
  for (size_t i = 0; i < session->scratch.count; i++) rg_free(session->scratch.items[i].data);
  rg_free(session->scratch.items);
  rg_pool_free(session->pool);
  rg_free(session->inputs);
  rg_free(session->input_list);
  rg_free(session->outputs);
  rg_free(session->piece_inputs);
  rg_free(session->piece_list);
  rg_free(session->piece_outputs);
  rg_profile_free(session->profile);
  if (session->device_weights) rg_program_weights_close(session->model, session->device_weights);
  if (session->device) session->gpu->close(session->device);
  if (session->owns_threads) rango_threads_free(session->threads);
  rg_model_release(session->model);
  rg_free(session);
}

/* ---- running ---- */

static rango_status check_shape(const char *name, const rg_type_info *declared, const rg_shape *shape) {
  if (declared->rank < 0) return RANGO_OK;
  rg_shape wanted = {.rank = declared->rank};
  bool fits = declared->rank == shape->rank;
  for (int i = 0; i < wanted.rank; i++) {
    wanted.dims[i] = rg_size_is_known(declared->dims[i]) ? declared->dims[i] : -1;
    fits = fits && (wanted.dims[i] < 0 || wanted.dims[i] == shape->dims[i]);
  }
  if (fits) return RANGO_OK;
  char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
  RG_FAIL(RANGO_ERROR_ARGUMENT, "input '%s' has shape %s, but the model wants %s%s", name,
          rg_shape_text(shape, a, sizeof a), rg_shape_text(&wanted, b, sizeof b),
          declared->rank == shape->rank ? " (-1: any size)" : "");
}

/* The caller's tensor against what the model declares. */
static rango_status take_input(const rg_value *value, const rango_tensor *tensor, rg_val *out) {
  RG_FAIL_IF(!tensor, RANGO_ERROR_ARGUMENT, "input '%s' is missing (NULL)", value->name);
  const rg_type_info *declared = &value->type;
  RG_FAIL_IF(declared->kind != RG_KIND_TENSOR && declared->kind != RG_KIND_NONE && declared->kind != RG_KIND_OPTIONAL,
             RANGO_ERROR_UNSUPPORTED, "input '%s' is no tensor: only tensors can be given", value->name);
  if (declared->kind == RG_KIND_TENSOR) {
    RG_FAIL_IF(declared->type != RANGO_UNDEFINED && tensor->type != declared->type, RANGO_ERROR_ARGUMENT,
               "input '%s' is %s, but the model wants %s", value->name, rango_type_name(tensor->type),
               rango_type_name(declared->type));
    RG_TRY(check_shape(value->name, declared, &tensor->shape));
  }
  out->kind = RG_KIND_TENSOR;
  out->tensor = *tensor;
  return RANGO_OK;
}

static rango_status take_arguments(rango_session *session, const rango_tensor *const *inputs, size_t input_count,
                                   rango_tensor **outputs, size_t output_count) {
  const rg_graph *graph = session->program->model->graph;
  RG_FAIL_IF(input_count != graph->inputs.count, RANGO_ERROR_ARGUMENT, "the model takes %zu inputs, %zu are given",
             graph->inputs.count, input_count);
  RG_FAIL_IF(output_count != graph->outputs.count, RANGO_ERROR_ARGUMENT,
             "the model has %zu outputs, there is room for %zu", graph->outputs.count, output_count);
  RG_FAIL_IF((!inputs && input_count > 0) || (!outputs && output_count > 0), RANGO_ERROR_ARGUMENT,
             "rango_session_run: inputs and outputs must not be NULL");
  for (size_t i = 0; i < input_count; i++) RG_TRY(take_input(graph->inputs.items[i], inputs[i], &session->inputs[i]));
  for (size_t i = 0; i < output_count; i++) {
    session->outputs[i] = (rg_val){0};
    if (!outputs[i]) continue;
    session->outputs[i].kind = RG_KIND_TENSOR;
    session->outputs[i].tensor = *outputs[i];
  }
  return RANGO_OK;
}

/* New tensors for the outputs that the caller gave none for. On failure none is given away. */
static rango_status give_outputs(rango_session *session, rango_tensor **outputs, size_t count) {
  const rg_graph *graph = session->program->model->graph;
  rango_status status = RANGO_OK;
  size_t made = 0;
  bool *is_new;
  RG_TRY(rg_calloc(count + 1, sizeof *is_new, RG_OUT(&is_new)));
  for (size_t i = 0; i < count && status == RANGO_OK; i++, made++) {
    if (outputs[i]) continue;
    if (session->outputs[i].kind != RG_KIND_TENSOR)
      status = rg_fail(RANGO_ERROR_UNSUPPORTED, "output '%s' is no tensor", graph->outputs.items[i]->name);
    else
      status = rg_calloc(1, sizeof **outputs, RG_OUT(&outputs[i]));
    if (status != RANGO_OK) break;
    is_new[i] = true;
    *outputs[i] = session->outputs[i].tensor;
    session->outputs[i] = (rg_val){0};
  }
  for (size_t i = 0; i < made && status != RANGO_OK; i++) {
    if (!is_new[i]) continue;
    rango_tensor_free(outputs[i]);
    outputs[i] = NULL;
  }
  rg_free(is_new);
  return status;
}

rango_status rango_session_run(rango_session *session, const rango_tensor *const *inputs, size_t input_count,
                               rango_tensor **outputs, size_t output_count) {
  RG_FAIL_IF(!session, RANGO_ERROR_ARGUMENT, "rango_session_run: session must not be NULL");
  RG_TRY(take_arguments(session, inputs, input_count, outputs, output_count));
  rango_status status = rg_batch_run(session);
  bool all_given = true;
  for (size_t i = 0; i < output_count; i++) all_given = all_given && outputs[i];
  if (status == RANGO_OK && !all_given) status = give_outputs(session, outputs, output_count);
  for (size_t i = 0; i < output_count; i++) {
    if (!outputs[i]) rg_val_clear(&session->outputs[i]);
    session->outputs[i] = (rg_val){0};
  }
  rg_pool_trim(session->pool);
  return status;
}

/* ---- asking ---- */

static rango_status add_weight_bytes(rg_graph *graph, void *argument) {
  size_t *total = argument;
  for (size_t i = 0; i < graph->values.count; i++) {
    const rango_tensor *constant = graph->values.items[i]->constant;
    if (constant && rg_type_is_float(constant->type)) *total += constant->bytes;
  }
  for (const rg_node *node = graph->first; node; node = node->next) {
    const rango_tensor *constant = node->output_count > 0 && node->outputs[0] && !node->outputs[0]->constant
                                       ? rg_value_constant(node->outputs[0])
                                       : NULL;
    if (constant && rg_type_is_float(constant->type)) *total += constant->bytes;
  }
  return RANGO_OK;
}

rango_status rango_session_get_stats(const rango_session *session, rango_session_stats *out) {
  RG_FAIL_IF(!session || !out, RANGO_ERROR_ARGUMENT, "rango_session_get_stats: session and out must not be NULL");
  RG_FAIL_IF(out->struct_size != sizeof *out, RANGO_ERROR_ARGUMENT,
             "rango_session_stats.struct_size is %zu, needs to be %zu", out->struct_size, sizeof *out);
  size_t weights = 0, arena = 0;
  RG_TRY(rg_model_visit_graphs(session->model, false, add_weight_bytes, &weights));
  for (int i = 0; i < RG_MAX_DEPTH; i++) arena += session->arenas[i].bytes;
  for (size_t i = 0; i < session->scratch.count; i++) arena += session->scratch.items[i].bytes;
  *out = (rango_session_stats){.struct_size = sizeof *out,
                               .weight_bytes = weights,
                               .packed_bytes = rg_packed_cache_bytes(session->packed),
                               .arena_bytes = arena,
                               .plans = (int)session->main->plans.count,
                               .threads = session->threads ? rango_threads_count(session->threads) : 1,
                               .isa = session->kernels ? rg_kernels_isa(session->kernels) : "reference"};
  return RANGO_OK;
}
