/* Gradients of whole trained networks with respect to every weight and every layer's output, as the fast device
 * computes them, against central differences of the same network in double precision. */
#include <unistd.h>

#include "adjoint/gradient.h"

#define BATCH      2
#define LAYERS_MAX 64
#define STEP       1e-8 /* few of the kinks of Relu and MaxPool lie in between */

static bool is_layer(const rg_node *node) {
  bool product = rg_node_is(node, "Gemm") || rg_node_is(node, "MatMul") || rg_node_is(node, "Conv");
  return product && rg_value_constant(node->inputs[1]);
}

/* The same network in double precision: its constants, and what it casts to. */
static rango_model *in_double(const rango_model *model) {
  rango_model *copy;
  check_ok(rg_model_copy(model, &copy));
  for (size_t i = 0; i < copy->graph->values.count; i++) {
    rg_value *value = copy->graph->values.items[i];
    rango_tensor wide;
    if (!value->constant || value->constant->type != RANGO_FLOAT32) continue;
    check_ok(rg_tensor_init(&wide, RANGO_FLOAT64, &value->constant->shape));
    for (int64_t k = 0; k < rango_tensor_count(&wide); k++)
      ((double *)wide.data)[k] = rg_tensor_get_double(value->constant, k);
    check_ok(rg_model_add_tensor(copy, &wide, &value->constant));
  }
  for (rg_node *node = copy->graph->first; node; node = node->next) {
    if (rg_node_is(node, "Cast")) check_ok(rg_node_set_int(node, "to", RANGO_FLOAT64));
    if (rg_node_is(node, "LayerNormalization")) check_ok(rg_node_set_int(node, "stash_type", RANGO_FLOAT64));
  }
  for (size_t i = 0; i < copy->graph->inputs.count; i++)
    if (copy->graph->inputs.items[i]->type.type == RANGO_FLOAT32)
      copy->graph->inputs.items[i]->type.type = RANGO_FLOAT64;
  for (size_t i = 0; i < copy->graph->outputs.count; i++)
    copy->graph->outputs.items[i]->type = (rg_type_info){.rank = -1};
  check_ok(rg_ops_resolve(copy, true));
  return copy;
}

static rango_tensor *random_input(const rango_model *model) {
  rango_value_info info;
  rango_tensor *tensor;
  rg_random random;
  int64_t dims[RANGO_MAX_RANK];
  check_ok(rango_model_input(model, 0, &info));
  for (int i = 0; i < info.rank; i++) dims[i] = info.dims[i] < 0 ? BATCH : info.dims[i];
  check_ok(rango_tensor_create(info.type, info.rank, dims, &tensor));
  rg_random_seed(&random, 3);
  for (int64_t i = 0; i < rango_tensor_count(tensor); i++)
    rg_tensor_set_double(
        tensor, i, info.type == RANGO_FLOAT32 ? rg_random_normal(&random) : (double)rg_random_below(&random, 200));
  return tensor;
}

static rango_tensor *converted(const rango_tensor *from, rango_type type) {
  rango_tensor *to;
  check_ok(rango_tensor_create(type, from->shape.rank, from->shape.dims, &to));
  for (int64_t i = 0; i < rango_tensor_count(to); i++) rg_tensor_set_double(to, i, rg_tensor_get_double(from, i));
  return to;
}

static rg_value *find_value(const rango_model *model, int id) {
  for (size_t i = 0; i < model->graph->values.count; i++)
    if (model->graph->values.items[i]->id == id) return model->graph->values.items[i];
  return NULL;
}

/* A weight or bias of a layer, and the direction in which it is moved. */
typedef struct part {
  const rg_node *layer;
  int id;
  bool is_bias;
  rango_tensor *direction;
} part;

typedef struct parts {
  part items[2 * LAYERS_MAX];
  const rg_node *layers[LAYERS_MAX];
  int count, layer_count;
} parts;

static void add_part(parts *p, const rg_node *layer, int input) {
  const rango_tensor *constant =
      input < layer->input_count && layer->inputs[input] ? layer->inputs[input]->constant : NULL;
  if (!constant) return;
  p->items[p->count] = (part){layer, layer->inputs[input]->id, input == 2, NULL};
  p->items[p->count].direction =
      tensor_random(RANGO_FLOAT32, constant->shape.rank, constant->shape.dims, (uint64_t)p->count);
  p->count++;
}

static void find_parts(const rango_model *model, parts *p) {
  *p = (parts){0};
  for (const rg_node *node = model->graph->first; node; node = node->next) {
    if (!is_layer(node)) continue;
    assert_true(p->layer_count < LAYERS_MAX);
    p->layers[p->layer_count++] = node;
    add_part(p, node, 1);
    add_part(p, node, 2);
  }
  assert_true(p->layer_count > 0);
}

/* <seed, output> of the network with every part moved by step times its direction. */
static double moved_sum(const rango_model *wide, const parts *p, double step, const rango_tensor *input,
                        const rango_tensor *seed) {
  rango_model *model;
  check_ok(rg_model_copy(wide, &model));
  for (int i = 0; i < p->count; i++) {
    rg_value *value = find_value(model, p->items[i].id);
    rango_tensor moved;
    check_ok(rg_tensor_copy(&moved, value->constant));
    for (int64_t k = 0; k < rango_tensor_count(&moved); k++)
      ((double *)moved.data)[k] += step * rg_tensor_get_double(p->items[i].direction, k);
    check_ok(rg_model_add_tensor(model, &moved, &value->constant));
  }
  rango_tensor *output = model_run(model, RANGO_DEVICE_CPU, &input, 1);
  double sum = inner_product(output, seed);
  rango_tensor_free(output);
  rango_model_free(model);
  return sum;
}

/* Gradients of these values; `fed` are those constants among them that become inputs. */
static void run_adjoint(const rango_model *model, const int *wanted, int count, const parts *fed,
                        const rango_tensor *input, const rango_tensor *seed, rango_tensor **gradients) {
  const rango_tensor *inputs[2 + 2 * LAYERS_MAX] = {input, seed};
  rango_model *adjoint;
  size_t inputs_given = 2;
  for (int i = 0; fed && i < fed->count; i++) inputs[inputs_given++] = find_value(model, fed->items[i].id)->constant;
  check_ok(rg_adjoint_create(model, &model->graph->outputs.items[0]->id, 1, NULL, 0, wanted, (size_t)count, &adjoint));
  rango_session *session = net_session(adjoint, RANGO_DEVICE_CPU);
  check_ok(rango_session_run(session, inputs, inputs_given, gradients, (size_t)count));
  rango_session_free(session);
  rango_model_free(adjoint);
}

/* The gradients of all parts, then those of the layers' outputs, with the parts constant; the caller's. */
static int run_adjoints(const rango_model *model, const parts *p, const rango_tensor *input, const rango_tensor *seed,
                        rango_tensor **gradients) {
  int constants[2 * LAYERS_MAX], outputs[LAYERS_MAX];
  for (int i = 0; i < p->count; i++) constants[i] = p->items[i].id;
  for (int i = 0; i < p->layer_count; i++) outputs[i] = p->layers[i]->outputs[0]->id;
  run_adjoint(model, constants, p->count, p, input, seed, gradients);
  run_adjoint(model, outputs, p->layer_count, NULL, input, seed, gradients + p->count);
  return p->count + p->layer_count;
}

/* <gradient of a layer's output, bias's direction>: the bias is spread over all axes but the channels'. */
static double through_output(const part *bias, const rango_tensor *gradient) {
  const bool is_conv = rg_node_is(bias->layer, "Conv");
  const int axis = is_conv ? 1 : gradient->shape.rank - 1;
  int64_t inner = 1, channels = gradient->shape.dims[axis];
  double sum = 0;
  for (int i = axis + 1; i < gradient->shape.rank; i++) inner *= gradient->shape.dims[i];
  for (int64_t i = 0; i < rango_tensor_count(gradient); i++)
    sum += rg_tensor_get_double(gradient, i) * rg_tensor_get_double(bias->direction, i / inner % channels);
  return is_conv ? sum : sum * (double)rg_node_float(bias->layer, "beta", 1);
}

static const rango_tensor *output_gradient(const parts *p, rango_tensor *const *gradients, const rg_node *layer) {
  int i = 0;
  while (p->layers[i] != layer) i++;
  return gradients[p->count + i];
}

static void check_network(const char *name, const rango_model *model) {
  parts p;
  rango_tensor *gradients[3 * LAYERS_MAX] = {0};
  rango_model *wide = in_double(model);
  const rango_tensor *input = random_input(model);
  rango_tensor *output = model_run(model, RANGO_DEVICE_CPU, &input, 1);
  rango_tensor *seed = tensor_random(RANGO_FLOAT32, output->shape.rank, output->shape.dims, 4);
  rango_tensor *wide_input = converted(input, input->type == RANGO_FLOAT32 ? RANGO_FLOAT64 : input->type);
  find_parts(model, &p);
  int count = run_adjoints(model, &p, input, seed, gradients);
  double of_parts = 0, of_outputs = 0, square = 0;
  for (int i = 0; i < p.count; i++) {
    const part *item = &p.items[i];
    double slope = inner_product(gradients[i], item->direction);
    of_parts += slope;
    of_outputs += item->is_bias ? through_output(item, output_gradient(&p, gradients, item->layer)) : slope;
    square += slope * slope;
  }
  double ahead = moved_sum(wide, &p, STEP, wide_input, seed), behind = moved_sum(wide, &p, -STEP, wide_input, seed);
  double slope = (ahead - behind) / (2 * STEP), allowed = 1e-3 * sqrt(square);
  if (!(fabs(of_parts - slope) <= allowed && fabs(of_outputs - slope) <= allowed))
    fail_msg("%s: %g by weights, %g by outputs, %g by differences", name, of_parts, of_outputs, slope);
  free_gradients(gradients, count);
  for (int i = 0; i < p.count; i++) rango_tensor_free(p.items[i].direction);
  rango_tensor_free((rango_tensor *)input);
  rango_tensor_free(wide_input);
  rango_tensor_free(output);
  rango_tensor_free(seed);
  rango_model_free(wide);
}

static void test_zoo(void **state) {
  static const char *const names[] = {"mnist-lenet300",  "mnist-lenet5",  "burgers-mlp", "cifar10-resnet20",
                                      "cifar10-alexnet", "cifar10-vgg16", "cifar10-vit", "imdb-transformer"};
  int found = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[512];
    rango_model *loaded, *model;
    snprintf(path, sizeof path, "%s/../shared/zoo/%s/model.onnx", RG_SOURCE_DIR, names[i]);
    if (access(path, R_OK) != 0) {
      print_message("SKIP: no %s\n", path);
      continue;
    }
    check_ok(rango_model_load(path, NULL, &loaded));
    check_ok(rg_model_copy(loaded, &model));
    check_ok(rg_passes_canonical(model));
    check_ok(rg_model_align_constants(model, NULL));
    check_network(names[i], model);
    rango_model_free(model);
    rango_model_free(loaded);
    found++;
  }
  if (!found) skip();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_zoo)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
