/* Weights that aren't factored are listed, each with its reason, in bodies too; sites and small constants are not. */
#include "compress/left_alone.h"
#include "compress/networks.h"

static const rango_left_alone *find(const rg_left_alone *list, const char *op, const char *shape) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].op, op) == 0 && strcmp(list->items[i].shape, shape) == 0) return &list->items[i];
  return NULL;
}

static rg_left_alone list_of(rango_model *model, rg_sites *sites, rg_arena **arena) {
  rg_left_alone list;
  check_ok(rg_arena_create(arena));
  check_ok(rg_sites_find(model, sites));
  check_ok(rg_left_alone_find(model, sites, *arena, &list));
  return list;
}

static void close_list(rango_model *model, rg_sites *sites, rg_arena *arena, rg_left_alone *list) {
  rg_free(list->items);
  rg_sites_free(sites);
  rg_arena_free(arena);
  rango_model_free(model);
}

/* An LSTM: W is a site, R is not; its bias is no matrix that could be. */
static void recurrent_weights_are_named(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 3, DIMS(5, -1, 6));
  rg_value *w = model_weights(g, "w", 0.3, 3, DIMS(1, 32, 6)), *r = model_weights(g, "r", 0.3, 3, DIMS(1, 32, 8));
  rg_value *y = model_node(g, "LSTM", x, w, r, model_weights(g, "b", 0.3, 2, DIMS(1, 64)));
  finish(model, y);
  rg_sites sites;
  rg_arena *arena;
  rg_left_alone list = list_of(model, &sites, &arena);
  assert_int_equal(sites.count, 1);
  assert_int_equal(list.count, 1);
  assert_string_equal(list.items[0].shape, "[1, 32, 8]");
  assert_int_equal(list.items[0].params, 256);
  assert_non_null(strstr(list.items[0].reason, "recurrent"));
  close_list(model, &sites, arena, &list);
}

/* Two MatMuls of one weight, a depthwise convolution, and a Gemm that is factored. */
static void shared_and_depthwise_weights_are_named(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *image = model_input(g, "image", RANGO_FLOAT32, 4, DIMS(-1, 8, 5, 5));
  rg_value *h = model_node(g, "Conv", image, model_weights(g, "k", 0.3, 4, DIMS(8, 1, 3, 3)), NULL, NULL);
  check_ok(rg_node_set_int(h->producer, "group", 8));
  h = model_node(g, "Flatten", h, NULL, NULL, NULL);
  h = model_node(g, "Gemm", h, model_weights(g, "v", 0.3, 2, DIMS(72, 10)), NULL, NULL);
  rg_value *w = model_weights(g, "w", 0.3, 2, DIMS(10, 10));
  finish(model, model_node(g, "MatMul", model_node(g, "MatMul", h, w, NULL, NULL), w, NULL, NULL));
  rg_sites sites;
  rg_arena *arena;
  rg_left_alone list = list_of(model, &sites, &arena);
  assert_int_equal(sites.count, 1);
  assert_int_equal(list.count, 3);
  assert_non_null(strstr(find(&list, "Conv", "[8, 1, 3, 3]")->reason, "single channels"));
  assert_non_null(strstr(find(&list, "MatMul", "[10, 10]")->reason, "shared"));
  assert_null(find(&list, "Gemm", "[72, 10]"));
  close_list(model, &sites, arena, &list);
}

/* Layers inside of both branches of an If; the spectra tell of them as well. */
static void layers_in_bodies_are_named(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph, *body;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 2, DIMS(-1, 12));
  rg_value *h = model_node(g, "Gemm", x, model_weights(g, "v", 0.3, 2, DIMS(12, 10)), NULL, NULL);
  rango_tensor yes;
  rg_value *choice;
  check_ok(rg_tensor_init(&yes, RANGO_BOOL, &(rg_shape){0}));
  *(bool *)yes.data = true;
  check_ok(rg_graph_add_constant(g, "choice", &yes, &choice));
  rg_value *branch = model_node(g, "If", choice, NULL, NULL, NULL);
  for (int i = 0; i < 2; i++) {
    check_ok(rg_graph_create(model, branch->producer, &body));
    check_ok(rg_node_set_graph(branch->producer, i ? "else_branch" : "then_branch", body));
    rg_value *w = model_weights(body, "w", 0.3, 2, DIMS(10, i ? 20 : 30));
    check_ok(rg_graph_add_output(body, model_node(body, "MatMul", h, w, NULL, NULL)));
  }
  finish(model, branch);
  rg_sites sites;
  rg_arena *arena;
  rg_left_alone list = list_of(model, &sites, &arena);
  assert_int_equal(sites.count, 1);
  assert_int_equal(list.count, 2);
  assert_non_null(strstr(find(&list, "MatMul", "[10, 30]")->reason, "inside of a body"));
  assert_non_null(strstr(find(&list, "MatMul", "[10, 20]")->reason, "inside of a body"));
  close_list(model, &sites, arena, &list);
}

/* A table's spectrum is that of its rows: rank 3 and noise. */
static void tables_have_a_spectrum(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *tokens = model_input(g, "tokens", RANGO_INT64, 2, DIMS(-1, 4));
  float *table = low_rank_matrix(300, 16, 3, 5);
  rg_value *rows = model_node(g, "Gather", constant(g, "table", 2, DIMS(300, 16), table), tokens, NULL, NULL);
  rg_value *flat = model_node(g, "Flatten", rows, NULL, NULL, NULL);
  finish(model, model_node(g, "Gemm", flat, model_weights(g, "w", 0.3, 2, DIMS(64, 5)), NULL, NULL));
  rango_tensor *data = tensor_random(RANGO_INT64, 2, DIMS(20, 4), 3);
  for (int i = 0; i < 80; i++) ((int64_t *)data->data)[i] = i * 37 % 300;
  rango_dataset *set;
  rango_spectra *spectra;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){data}, 1, &set));
  check_ok(rango_spectra_create(model, set, 0, 1, 1, NULL, NULL, &spectra));
  const rango_layer_spectrum *layer = rango_spectra_layer(spectra, 0);
  assert_string_equal(layer->op, "Gather");
  assert_int_equal(layer->output.rows, 300);
  assert_int_equal(layer->output.dimension, 16);
  assert_int_equal(layer->output.pca999, 3);
  assert_int_equal(layer->portrait->share_count, 16);
  assert_null(rango_spectra_left_alone(spectra, 0));
  rango_spectra_free(spectra);
  rango_dataset_free(set);
  rango_tensor_free(data);
  rango_model_free(model);
  free(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(recurrent_weights_are_named),
      cmocka_unit_test(shared_and_depthwise_weights_are_named),
      cmocka_unit_test(layers_in_bodies_are_named),
      cmocka_unit_test(tables_have_a_spectrum),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
