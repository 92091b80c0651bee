/* Gradients of whole trained networks with respect to every weight and every layer's output, as the fast device
 * computes them, against central differences of the same network in double precision. */
#include <unistd.h>

#include "adjoint/gradient.h"

#define BATCH       2
#define LAYERS_MAX  64
#define DIRECTIONS  2
#define STEP        1e-8 /* few of the kinks of Relu and MaxPool lie in between */
#define OUTPUTS_MAX (3 * LAYERS_MAX)

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

/* <seed, output> of the network with `count` constants moved by step times their directions. */
static double moved_sum(const rango_model *wide, const int *ids, int count, rango_tensor *const *directions,
                        double step, const rango_tensor *input, const rango_tensor *seed) {
  rango_model *model;
  rango_tensor *output;
  check_ok(rg_model_copy(wide, &model));
  for (int i = 0; i < count; i++) {
    rg_value *value = find_value(model, ids[i]);
    rango_tensor moved;
    check_ok(rg_tensor_copy(&moved, value->constant));
    for (int64_t k = 0; k < rango_tensor_count(&moved); k++)
      ((double *)moved.data)[k] += step * rg_tensor_get_double(directions[i], k);
    check_ok(rg_model_add_tensor(model, &moved, &value->constant));
  }
  output = model_run(model, RANGO_DEVICE_CPU, &input, 1);
  double sum = inner_product(output, seed);
  rango_tensor_free(output);
  rango_model_free(model);
  return sum;
}

/* A layer's bias, where the node has one. */
static const rg_value *bias_of(const rg_node *node) {
  const rg_value *bias = node->input_count > 2 ? node->inputs[2] : NULL;
  return bias && rg_value_constant(bias) ? bias : NULL;
}

/* The gradient of a layer's output, summed as its bias is spread: over all axes but the channels'. */
static double through_bias(const rg_node *node, const rango_tensor *gradient, const rango_tensor *direction) {
  int axis = rg_node_is(node, "Conv") ? 1 : gradient->shape.rank - 1;
  int64_t inner = 1, channels = gradient->shape.dims[axis];
  double sum = 0;
  for (int i = axis + 1; i < gradient->shape.rank; i++) inner *= gradient->shape.dims[i];
  for (int64_t i = 0; i < rango_tensor_count(gradient); i++)
    sum += rg_tensor_get_double(gradient, i) * rg_tensor_get_double(direction, i / inner % channels);
  return sum;
}

typedef struct layers {
  const rg_node *nodes[LAYERS_MAX];
  int constants[2 * LAYERS_MAX], outputs[LAYERS_MAX];
  int count, constant_count;
} layers;

static void find_layers(const rango_model *model, layers *l) {
  *l = (layers){0};
  for (const rg_node *node = model->graph->first; node && l->count < LAYERS_MAX; node = node->next) {
    if (!is_layer(node)) continue;
    l->constants[l->constant_count++] = node->inputs[1]->id;
    if (bias_of(node)) l->constants[l->constant_count++] = bias_of(node)->id;
    l->nodes[l->count] = node;
    l->outputs[l->count++] = node->outputs[0]->id;
  }
}

/* Weights first, then the layers' outputs; results are the caller's. */
static int run_adjoint(const rango_model *model, const layers *l, const rango_tensor *input, const rango_tensor *seed,
                       rango_tensor **results) {
  int wanted[OUTPUTS_MAX], count = 0;
  const rango_tensor *inputs[2 + 2 * LAYERS_MAX] = {input, seed};
  rango_model *adjoint;
  for (int i = 0; i < l->constant_count; i++) {
    inputs[2 + i] = find_value(model, l->constants[i])->constant;
    wanted[count++] = l->constants[i];
  }
  for (int i = 0; i < l->count; i++) wanted[count++] = l->outputs[i];
  check_ok(rg_adjoint_create(model, &model->graph->outputs.items[0]->id, 1, NULL, 0, wanted, (size_t)count, &adjoint));
  rango_session *session = net_session(adjoint, RANGO_DEVICE_CPU);
  check_ok(rango_session_run(session, inputs, (size_t)(2 + l->constant_count), results, (size_t)count));
  rango_session_free(session);
  rango_model_free(adjoint);
  return count;
}

static void check_network(const char *name, const rango_model *model) {
  layers l;
  rango_tensor *gradients[OUTPUTS_MAX] = {0}, *directions[2 * LAYERS_MAX];
  rango_model *wide = in_double(model);
  rango_tensor *input = random_input(model),
               *output = model_run(model, RANGO_DEVICE_CPU, (const rango_tensor *const[]){input}, 1);
  rango_tensor *seed = tensor_random(RANGO_FLOAT32, output->shape.rank, output->shape.dims, 4);
  rango_tensor *wide_input =
      input->type == RANGO_FLOAT32 ? converted(input, RANGO_FLOAT64) : converted(input, input->type);
  find_layers(model, &l);
  assert_true(l.count > 0);
  int count = run_adjoint(model, &l, input, seed, gradients);
  for (int trial = 0; trial < DIRECTIONS; trial++) {
    double of_weights = 0, of_outputs = 0, square = 0;
    for (int i = 0, layer = 0; i < l.constant_count; i++) {
      const rango_tensor *shape = gradients[i];
      directions[i] = tensor_random(RANGO_FLOAT32, shape->shape.rank, shape->shape.dims, (uint64_t)(100 * trial + i));
      double part = inner_product(gradients[i], directions[i]);
      of_weights += part;
      square += part * part;
      while (l.constants[i] != l.nodes[layer]->inputs[1]->id &&
             (!bias_of(l.nodes[layer]) || bias_of(l.nodes[layer])->id != l.constants[i]))
        layer++;
      bool is_bias = l.constants[i] != l.nodes[layer]->inputs[1]->id;
      double beta = rg_node_is(l.nodes[layer], "Gemm") ? (double)rg_node_float(l.nodes[layer], "beta", 1) : 1;
      of_outputs +=
          is_bias ? beta * through_bias(l.nodes[layer], gradients[l.constant_count + layer], directions[i]) : part;
    }
    double slope = (moved_sum(wide, l.constants, l.constant_count, directions, STEP, wide_input, seed) -
                    moved_sum(wide, l.constants, l.constant_count, directions, -STEP, wide_input, seed)) /
                   (2 * STEP);
    if (!(fabs(of_weights - slope) <= 1e-3 * sqrt(square)) || !(fabs(of_outputs - slope) <= 1e-3 * sqrt(square)))
      fail_msg("%s: %g by weights, %g by outputs, %g by differences", name, of_weights, of_outputs, slope);
    for (int i = 0; i < l.constant_count; i++) rango_tensor_free(directions[i]);
  }
  for (int i = 0; i < count; i++) rango_tensor_free(gradients[i]);
  rango_tensor_free(input);
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
