/* Views of images: what moves, mirrors and pieces of others do to pixels whose place is known, and when they are used.
 */
#include "compress/augment.h"
#include "compress/networks.h"

enum { COUNT = 160, CHANNELS = 3, HEIGHT = 17, WIDTH = 20 };

static int64_t reflected(int64_t at, int64_t size) { return at < 0 ? -at : at < size ? at : 2 * (size - 1) - at; }

/* A pixel's value says which image, row and column it was: [image][channel][y][x], or with channels last. */
static rango_tensor *numbered_images(rango_type type, bool last) {
  rango_tensor *out;
  check_ok(rango_tensor_create(
      type, 4, last ? DIMS(COUNT, HEIGHT, WIDTH, CHANNELS) : DIMS(COUNT, CHANNELS, HEIGHT, WIDTH), &out));
  for (int64_t i = 0; i < rango_tensor_count(out); i++) rg_tensor_set_double(out, i, (double)i);
  return out;
}

static double pixel(const rango_tensor *images, bool last, int64_t i, int64_t c, int64_t y, int64_t x) {
  int64_t at = last ? ((i * HEIGHT + y) * WIDTH + x) * CHANNELS + c : ((i * CHANNELS + c) * HEIGHT + y) * WIDTH + x;
  return rg_tensor_get_double(images, at);
}

static bool is_view(const rango_tensor *before, const rango_tensor *after, bool last, int64_t i, int64_t down,
                    int64_t across, bool mirrored) {
  for (int64_t c = 0; c < CHANNELS; c++)
    for (int64_t y = 0; y < HEIGHT; y++)
      for (int64_t x = 0; x < WIDTH; x++) {
        int64_t from = reflected(x + across, WIDTH);
        if (pixel(after, last, i, c, y, x) !=
            pixel(before, last, i, c, reflected(y + down, HEIGHT), mirrored ? WIDTH - 1 - from : from))
          return false;
      }
  return true;
}

/* Each image is one of the views that are allowed, and each of these occurs. */
static void images_move_and_mirror_as_a_whole(void **state) {
  (void)state;
  for (int variant = 0; variant < 4; variant++) {
    bool last = variant & 1, mirror = variant & 2;
    rango_tensor *before = numbered_images(last ? RANGO_INT32 : RANGO_FLOAT32, last);
    rango_tensor *after = numbered_images(last ? RANGO_INT32 : RANGO_FLOAT32, last);
    rg_augmentation how = {.outer = last ? 1 : CHANNELS,
                           .height = HEIGHT,
                           .width = WIDTH,
                           .inner = last ? CHANNELS : 1,
                           .move = 1,
                           .mirror = mirror};
    rg_random random;
    rg_random_seed(&random, 5);
    check_ok(rg_augmentation_apply(&how, &random, after));
    int seen[2][3][3] = {{{0}}};
    for (int64_t i = 0; i < COUNT; i++) {
      int views = 0;
      for (int m = 0; m <= mirror; m++)
        for (int dy = -1; dy <= 1; dy++)
          for (int dx = -1; dx <= 1; dx++)
            if (is_view(before, after, last, i, dy, dx, m)) {
              views++;
              seen[m][dy + 1][dx + 1]++;
            }
      assert_int_equal(views, 1);
    }
    for (int m = 0; m <= mirror; m++)
      for (int d = 0; d < 9; d++) assert_true(seen[m][d / 3][d % 3] > 0);
    rango_tensor_free(before);
    rango_tensor_free(after);
  }
}

/* About half of the images get a rectangle of one other image, at the place it had there. */
static void a_rectangle_of_another_image_is_pasted(void **state) {
  (void)state;
  rango_tensor *images = numbered_images(RANGO_FLOAT32, false);
  const int64_t each = CHANNELS * HEIGHT * WIDTH;
  rg_augmentation how = {.outer = CHANNELS, .height = HEIGHT, .width = WIDTH, .inner = 1, .paste = true};
  rg_random random;
  int pasted = 0;
  rg_random_seed(&random, 6);
  check_ok(rg_augmentation_apply(&how, &random, images));
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t other = -1, top = HEIGHT, bottom = -1, left = WIDTH, right = -1, foreign = 0;
    for (int64_t at = 0; at < each; at++) {
      int64_t value = (int64_t)rg_tensor_get_double(images, i * each + at), y = at / WIDTH % HEIGHT, x = at % WIDTH;
      assert_int_equal(value % each, at);
      if (value / each == i) continue;
      assert_true(other < 0 || other == value / each);
      other = value / each;
      foreign++;
      top = y < top ? y : top;
      bottom = y > bottom ? y : bottom;
      left = x < left ? x : left;
      right = x > right ? x : right;
    }
    if (foreign) assert_int_equal(foreign, CHANNELS * (bottom - top + 1) * (right - left + 1));
    pasted += foreign > 0;
  }
  assert_in_range(pasted, COUNT / 4, 3 * COUNT / 4);
  rango_tensor_free(images);
}

/* The pixels' mean over each channel, which doesn't know places, or each pixel's own weight. */
static rg_augmentation chosen(bool places, int rank, const int64_t *dims) {
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x =
      model_input(g, "x", RANGO_FLOAT32, rank, rank == 4 ? DIMS(-1, dims[1], dims[2], dims[3]) : DIMS(-1, dims[1]));
  if (rank == 4) x = model_node(g, places ? "Flatten" : "GlobalAveragePool", x, NULL, NULL, NULL);
  if (rank == 4 && !places) x = model_node(g, "Flatten", x, NULL, NULL, NULL);
  int64_t inputs = rank == 4 && places ? dims[1] * dims[2] * dims[3] : dims[1];
  finish(model, model_node(g, "Gemm", x, model_weights(g, "w", 0.2, 2, DIMS(inputs, 5)), NULL, NULL));
  rango_tensor *rows = tensor_random(RANGO_FLOAT32, rank, dims, 3);
  rango_dataset *data;
  rango_session_options session = {.struct_size = sizeof session, .threads = 1};
  rg_augmentation how;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){rows}, 1, &data));
  check_ok(rg_augmentation_choose(model, data, &session, 1, &how));
  rango_dataset_free(data);
  rango_tensor_free(rows);
  rango_model_free(model);
  return how;
}

static void used_where_the_network_answers_alike(void **state) {
  (void)state;
  rg_augmentation how = chosen(false, 4, DIMS(100, 3, 32, 40));
  assert_int_equal(how.input, 0);
  assert_true(how.mirror && how.paste);
  assert_int_equal(how.move, 2);
  assert_true(how.outer == 3 && how.height == 32 && how.width == 40 && how.inner == 1);
  assert_int_equal(chosen(true, 4, DIMS(100, 3, 32, 40)).input, -1);  /* noise: a place off is another image */
  assert_int_equal(chosen(false, 4, DIMS(100, 3, 8, 8)).input, -1);   /* too small to move */
  assert_int_equal(chosen(false, 4, DIMS(100, 8, 32, 32)).input, -1); /* features */
  assert_int_equal(chosen(false, 2, DIMS(100, 24)).input, -1);
}

/* An output without elements for every image says nothing, and divides nothing. */
static void an_empty_output_is_no_obstacle(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_graph *g = model->graph;
  rg_value *x = model_input(g, "x", RANGO_FLOAT32, 4, DIMS(-1, 3, 16, 16));
  finish(model, model_node(g, "Slice", x, model_ints(g, 1, DIMS(0)), model_ints(g, 1, DIMS(0)), NULL));
  rango_tensor *rows = tensor_random(RANGO_FLOAT32, 4, DIMS(40, 3, 16, 16), 3);
  rango_dataset *data;
  rango_session_options session = {.struct_size = sizeof session, .threads = 1};
  rg_augmentation how;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){rows}, 1, &data));
  check_ok(rg_augmentation_choose(model, data, &session, 1, &how));
  assert_int_equal(how.input, 0);
  rango_dataset_free(data);
  rango_tensor_free(rows);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_move_and_mirror_as_a_whole),
      cmocka_unit_test(a_rectangle_of_another_image_is_pasted),
      cmocka_unit_test(used_where_the_network_answers_alike),
      cmocka_unit_test(an_empty_output_is_no_obstacle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
