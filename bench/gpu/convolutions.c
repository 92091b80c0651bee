/*
 * Times 3 x 3 convolutions on a GPU in each of their forms, task by task: what the choice between the forms
 * (gpu/winograd.c) is set by.
 *
 *   convolutions DEVICE BATCH [--half]
 *
 * DEVICE: vulkan or metal. Prints a line a layer and form: medians of the microseconds of its tasks by the device's own
 * clock, and of all of them. The form that is chosen by itself has a star.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/conv.h"

#define ROUNDS 31

/* The layers of vgg16, alexnet and resnet20 on 32 x 32 pixels: channels in, out, pixels of a side. */
static const int64_t layers[][3] = {{64, 64, 32},  {64, 128, 16}, {128, 128, 16}, {128, 256, 8}, {256, 256, 8},
                                    {256, 512, 4}, {512, 512, 4}, {512, 512, 2},  {192, 384, 8}, {384, 256, 8},
                                    {256, 256, 4}, {16, 16, 32},  {32, 32, 16},   {64, 64, 8}};

static void need(rango_status status) {
  if (status == RANGO_OK) return;
  fprintf(stderr, "convolutions: %s\n", rango_error_message());
  exit(1);
}

/* A Conv of ones with its values' facts. */
typedef struct layer {
  rango_model *model;
  rg_node *node;
  rango_tensor weight;
  rg_fact x, w, y;
} layer;

static void add_value(layer *l, int index, bool output) {
  rg_value *value;
  need(rg_graph_add_value(l->model->graph, NULL, &value));
  value->layout = RG_CHANNELS_LAST;
  if (output)
    rg_node_set_output(l->node, index, value);
  else
    need(rg_node_set_input(l->node, index, value));
}

static void make_layer(layer *l, int64_t batch, const int64_t *sizes) {
  static const int64_t ones[] = {1, 1, 1, 1}, kernel[] = {3, 3};
  const rg_shape shape = {.rank = 4, .dims = {sizes[1], sizes[0], 3, 3}};
  *l = (layer){0};
  need(rg_model_create(&l->model));
  need(rg_graph_add_node(l->model->graph, NULL, "Conv", "", 11, 2, 1, &l->node));
  for (int i = 0; i < 2; i++) add_value(l, i, false);
  add_value(l, 0, true);
  need(rg_node_set_ints(l->node, "kernel_shape", kernel, 2));
  need(rg_node_set_ints(l->node, "pads", ones, 4));
  need(rg_tensor_init(&l->weight, RANGO_FLOAT32, &shape));
  for (size_t i = 0; i < l->weight.bytes / sizeof(float); i++) ((float *)l->weight.data)[i] = 1.0f;
  l->x = (rg_fact){.kind = RG_KIND_TENSOR, .type = RANGO_FLOAT32, .rank = 4};
  l->w = l->y = l->x;
  for (int i = 0; i < 4; i++) {
    l->x.dims[i] = i == 0 ? batch : i == 1 ? sizes[0] : sizes[2];
    l->y.dims[i] = i == 1 ? sizes[1] : l->x.dims[i];
    l->w.dims[i] = shape.dims[i];
  }
  l->w.constant = &l->weight;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values) {
  qsort(values, ROUNDS, sizeof *values, by_size);
  return values[ROUNDS / 2];
}

/* Runs the tasks, and prints what each takes. */
static void time_tasks(const rg_gpu_prepare *prepare) {
  static double times[RG_GPU_TASKS_MAX + 1][ROUNDS];
  const rg_gpu_library *library = rg_gpu_library_get();
  const rg_gpu_backend *backend = prepare->device->backend;
  const rg_fact *facts[] = {prepare->inputs[0], prepare->outputs[0]};
  rg_gpu_part parts[3] = {{0}};
  rg_gpu_recorder recorder = {0};
  rg_gpu_list *list;
  for (int i = 0; i < 3; i++) {
    uint32_t count = 0;
    if (i < 2) rg_gpu_count(facts[i], &count);
    parts[i].bytes = i < 2 ? rg_gpu_bytes(prepare, RANGO_FLOAT32, count) : prepare->scratch_bytes;
    need(backend->buffer_create(prepare->device, RG_GPU_LOCAL, parts[i].bytes + RG_GPU_ALIGNMENT, &parts[i].buffer));
  }
  const rg_gpu_part inputs[] = {parts[0], {0}};
  const rg_gpu_places places = {inputs, &parts[1], parts[2]};
  need(library->record_timestamp(&recorder));
  for (int i = 0; i < prepare->task_count; i++) {
    need(library->record_task(&recorder, &prepare->tasks[i], &places));
    need(library->record_timestamp(&recorder));
  }
  need(backend->list_create(prepare->device, recorder.commands.items, recorder.commands.count, &list));
  for (int round = -3; round < ROUNDS; round++) {
    double at[RG_GPU_TASKS_MAX + 1];
    need(backend->list_run(prepare->device, list));
    need(backend->list_times(prepare->device, list, at, (size_t)prepare->task_count + 1));
    for (int i = 0; round >= 0 && i <= prepare->task_count; i++)
      times[i][round] = 1e3 * (i < prepare->task_count ? at[i + 1] - at[i] : at[i] - at[0]);
  }
  printf("%9.1f us =", median(times[prepare->task_count]));
  for (int i = 0; i < prepare->task_count; i++)
    printf(" %.1f %s", median(times[i]), rg_gpu_shaders[prepare->tasks[i].shader].name);
  printf("\n");
  backend->list_free(prepare->device, list);
  library->recorder_clear(&recorder);
  for (int i = 0; i < 3; i++) backend->buffer_free(prepare->device, parts[i].buffer);
}

static void release(rg_gpu_prepare *prepare) {
  for (int i = 0; i < prepare->held_count; i++) rg_gpu_library_get()->weight_release(prepare->held[i]);
}

static void time_layer(rg_gpu_device *device, int64_t batch, bool half, const int64_t *sizes) {
  static const rg_gpu_conv_form forms[] = {RG_GPU_CONV_DIRECT, RG_GPU_CONV_TILES_2, RG_GPU_CONV_TILES_4};
  const rg_gpu_library *library = rg_gpu_library_get();
  layer l;
  make_layer(&l, batch, sizes);
  const rg_fact *in[] = {&l.x, &l.w}, *out[] = {&l.y};
  const rg_gpu_prepare given = {.node = l.node,
                                .input_count = 2,
                                .output_count = 1,
                                .inputs = in,
                                .outputs = out,
                                .device = device,
                                .half = half};
  rg_gpu_weights *weights;
  need(library->weights_create(device, &weights));
  rg_gpu_prepare chosen = given;
  chosen.weights = weights;
  need(rg_gpu_conv_prepare(&chosen, RG_GPU_CONV_FASTEST));
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    rg_gpu_prepare prepare = given;
    prepare.weights = weights;
    need(rg_gpu_conv_prepare(&prepare, forms[i]));
    const bool same = prepare.task_count == chosen.task_count && prepare.tasks[0].shader == chosen.tasks[0].shader;
    printf("%4lld -> %4lld, %2lld x %-2lld %s%s", (long long)sizes[0], (long long)sizes[1], (long long)sizes[2],
           (long long)sizes[2],
           forms[i] == 0   ? "direct  "
           : forms[i] == 2 ? "tiles 2 "
                           : "tiles 4 ",
           same ? "*" : " ");
    time_tasks(&prepare);
    release(&prepare);
  }
  release(&chosen);
  library->weights_free(weights);
  rg_tensor_clear(&l.weight);
  rango_model_free(l.model);
}

int main(int count, char **arguments) {
  rg_gpu_device *device;
  const long long batch = count < 3 ? 0 : strtoll(arguments[2], NULL, 10);
  if (batch < 1) {
    fprintf(stderr, "usage: convolutions vulkan|metal BATCH [--half]\n");
    return 2;
  }
  need(rg_gpu_library_get()->open(arguments[1], 0, &device));
  printf("%s, batch %lld\n", device->info.name, batch);
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
    time_layer(device, batch, count > 3 && strcmp(arguments[3], "--half") == 0, layers[i]);
  rg_gpu_library_get()->close(device);
  return 0;
}
