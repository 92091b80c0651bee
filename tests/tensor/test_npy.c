/* .npy against what NumPy wrote: the headers below are NumPy's own text, the data its bytes. */
#include "support/check.h"
#include "support/folder.h"
#include "support/memory.h"
#include "tensor/npy.h"

typedef struct file {
  uint8_t bytes[2048];
  size_t size;
} file;

static size_t unhex(const char *hex, uint8_t *to) {
  size_t count = strlen(hex) / 2;
  for (size_t i = 0; i < count; i++) sscanf(hex + 2 * i, "%2hhx", &to[i]);
  return count;
}

/* Laid out as NumPy does: the dictionary, spaces up to a multiple of 64, a newline, the data. */
static file npy(int version, const char *dictionary, const char *hex) {
  file f = {.bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version, 0}};
  size_t start = version == 1 ? 10 : 12, length = strlen(dictionary);
  memcpy(f.bytes + start, dictionary, length);
  while ((start + length + 1) % 64) f.bytes[start + length++] = ' ';
  f.bytes[start + length++] = '\n';
  f.bytes[8] = (uint8_t)length;
  f.bytes[9] = (uint8_t)(length >> 8);
  f.size = start + length + unhex(hex, f.bytes + start + length);
  return f;
}

static rango_tensor *parse(const file *f) {
  rango_tensor *tensor;
  check_ok(rango_tensor_parse_npy(f->bytes, f->size, "test.npy", &tensor));
  return tensor;
}

/* numpy.array([1, 0, 3]) of every type; of complex ones [1-2j, 0, 3+0.5j]. */
static const struct {
  const char *descr;
  rango_type type;
  const char *hex;
} numbers[] = {
    {"<f2", RANGO_FLOAT16, "003c00000042"},
    {"<f4", RANGO_FLOAT32, "0000803f0000000000004040"},
    {"<f8", RANGO_FLOAT64, "000000000000f03f00000000000000000000000000000840"},
    {"|i1", RANGO_INT8, "010003"},
    {"<i2", RANGO_INT16, "010000000300"},
    {"<i4", RANGO_INT32, "010000000000000003000000"},
    {"<i8", RANGO_INT64, "010000000000000000000000000000000300000000000000"},
    {"|u1", RANGO_UINT8, "010003"},
    {"<u2", RANGO_UINT16, "010000000300"},
    {"<u4", RANGO_UINT32, "010000000000000003000000"},
    {"<u8", RANGO_UINT64, "010000000000000000000000000000000300000000000000"},
    {"|b1", RANGO_BOOL, "010001"},
    {"<c8", RANGO_COMPLEX64, "0000803f000000c00000000000000000000040400000003f"},
    {"<c16", RANGO_COMPLEX128,
     "000000000000f03f00000000000000c0000000000000000000000000000000000000000000000840000000000000e03f"},
};

/* Read, compared, written, and the written bytes are NumPy's own. */
static void test_every_type(void **state) {
  char folder[64], text[128];
  folder_make(folder);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (3,), }", numbers[i].descr);
    file f = npy(1, text, numbers[i].hex);
    rango_tensor *tensor = parse(&f);
    assert_int_equal(rango_tensor_type(tensor), numbers[i].type);
    assert_int_equal(rango_tensor_count(tensor), 3);
    double last = numbers[i].type == RANGO_BOOL ? 1 : 3;
    assert_true(rg_tensor_get_double(tensor, 0) == 1 && rg_tensor_get_double(tensor, 1) == 0 &&
                rg_tensor_get_double(tensor, 2) == last);
    check_ok(rango_tensor_save_npy(tensor, folder_path(folder, "out.npy")));
    size_t bytes;
    char *written = folder_read(folder, "out.npy", &bytes);
    assert_int_equal(bytes, f.size);
    assert_memory_equal(written, f.bytes, bytes);
    free(written);
    rango_tensor_free(tensor);
  }
  folder_remove(folder);
}

static void test_shapes_round_trip(void **state) {
  static const rg_shape shapes[] = {{0, {0}}, {1, {0}}, {2, {2, 3}}, {4, {1, 2, 1, 3}}, {16, {1, 1, 1, 2}}};
  static const char *const texts[] = {"()", "(0,)", "(2, 3)", "(1, 2, 1, 3)", NULL};
  char folder[64];
  folder_make(folder);
  for (size_t i = 0; i < 5; i++) {
    rg_shape shape = shapes[i];
    for (int axis = 4; axis < shape.rank; axis++) shape.dims[axis] = 1;
    rango_tensor tensor, *again;
    check_ok(rg_tensor_init(&tensor, RANGO_FLOAT32, &shape));
    int64_t count = rango_tensor_count(&tensor);
    for (int64_t k = 0; k < count; k++) ((float *)tensor.data)[k] = (float)k / 3;
    check_ok(rango_tensor_save_npy(&tensor, folder_path(folder, "a.npy")));
    size_t bytes = 0;
    char *written = folder_read(folder, "a.npy", &bytes);
    assert_int_equal((bytes - tensor.bytes) % 64, 0);
    if (texts[i]) {
      char expected[96];
      snprintf(expected, sizeof expected, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", texts[i]);
      assert_memory_equal(written + 10, expected, strlen(expected));
    }
    free(written);
    check_ok(rango_tensor_load_npy(folder_path(folder, "a.npy"), &again));
    assert_true(rg_shape_equal(&again->shape, &shape));
    assert_memory_equal(again->data, tensor.data, tensor.bytes);
    rango_tensor_free(again);
    rg_tensor_clear(&tensor);
  }
  folder_remove(folder);
}

static void check_floats(const file *f, const float *expected, int64_t count) {
  rango_tensor *tensor = parse(f);
  assert_int_equal(rango_tensor_type(tensor), RANGO_FLOAT32);
  assert_int_equal(rango_tensor_count(tensor), count);
  assert_memory_equal(rango_tensor_data(tensor), expected, (size_t)count * sizeof *expected);
  rango_tensor_free(tensor);
}

static void test_order_and_endianness(void **state) {
  static const float upto5[] = {0, 1, 2, 3, 4, 5};
  /* numpy.asfortranarray(numpy.arange(6).reshape(2, 3).astype('>f4')), and its parts. */
  file both = npy(1, "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }",
                  "00000000404000003f800000408000004000000040a00000");
  file big = npy(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }",
                 "000000003f80000040000000404000004080000040a00000");
  file fortran = npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
                     "00000000000040400000803f00008040000000400000a040");
  check_floats(&both, upto5, 6);
  check_floats(&big, upto5, 6);
  check_floats(&fortran, upto5, 6);
  /* numpy.asfortranarray(numpy.arange(24).reshape(2, 3, 4).astype('u1')) */
  file cube = npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }",
                  "000c04100814010d05110915020e06120a16030f07130b17");
  rango_tensor *tensor = parse(&cube);
  for (int i = 0; i < 24; i++) assert_int_equal(((const uint8_t *)tensor->data)[i], i);
  rango_tensor_free(tensor);
  /* numpy.array([1+2j, -3.5+.25j]).astype('>c8'): each half is swapped on its own. */
  file complex_big =
      npy(1, "{'descr': '>c8', 'fortran_order': False, 'shape': (2,), }", "3f80000040000000c06000003e800000");
  tensor = parse(&complex_big);
  assert_memory_equal(tensor->data, ((float[]){1, 2, -3.5f, 0.25f}), 16);
  rango_tensor_free(tensor);
}

static void test_versions_and_spellings(void **state) {
  static const float expected[] = {1, 3};
  const char *hex = "0000803f00004040";
  for (int version = 1; version <= 3; version++) {
    file f = npy(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", hex);
    check_floats(&f, expected, 2);
  }
  file order = npy(1, "{\"shape\": (2L,), \"descr\": \"=f4\",'fortran_order':False}", hex);
  check_floats(&order, expected, 2);
}

static void check_text(const rango_tensor *tensor, int64_t i, const char *text) {
  assert_string_equal(((const char *const *)tensor->data)[i], text);
  assert_int_equal(tensor->lengths[i], strlen(text));
}

static void test_strings(void **state) {
  char folder[64];
  folder_make(folder);
  /* numpy.array([['a', 'éß'], ['日本', '']]) */
  file wide = npy(1, "{'descr': '<U2', 'fortran_order': False, 'shape': (2, 2), }",
                  "6100000000000000e9000000df000000e56500002c6700000000000000000000");
  rango_tensor *tensor = parse(&wide);
  assert_int_equal(tensor->type, RANGO_STRING);
  check_text(tensor, 0, "a");
  check_text(tensor, 1, "éß");
  check_text(tensor, 2, "日本");
  check_text(tensor, 3, "");
  check_ok(rango_tensor_save_npy(tensor, folder_path(folder, "s.npy")));
  size_t bytes;
  char *written = folder_read(folder, "s.npy", &bytes);
  assert_int_equal(bytes, wide.size);
  assert_memory_equal(written, wide.bytes, bytes);
  free(written);
  rango_tensor_free(tensor);
  folder_remove(folder);
  /* numpy.array([b'ab', b'', b'c']) */
  file narrow = npy(1, "{'descr': '|S2', 'fortran_order': False, 'shape': (3,), }", "616200006300");
  tensor = parse(&narrow);
  check_text(tensor, 0, "ab");
  check_text(tensor, 1, "");
  check_text(tensor, 2, "c");
  rango_tensor_free(tensor);
  file bad = npy(1, "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", "00d80000");
  check_fails(rango_tensor_parse_npy(bad.bytes, bad.size, "bad.npy", &tensor), RANGO_ERROR_FORMAT, "0xd800");
}

static void test_types_that_numpy_lacks(void **state) {
  char folder[64];
  rango_tensor tensor, *again;
  folder_make(folder);
  check_ok(rg_tensor_init(&tensor, RANGO_BFLOAT16, &(rg_shape){1, {3}}));
  for (int i = 0; i < 3; i++) rg_tensor_set_double(&tensor, i, i - 1.5);
  check_ok(rango_tensor_save_npy(&tensor, folder_path(folder, "b.npy")));
  check_ok(rango_tensor_load_npy(folder_path(folder, "b.npy"), &again));
  assert_memory_equal(again->data, ((float[]){-1.5f, -0.5f, 0.5f}), 12);
  rango_tensor_free(again);
  rg_tensor_clear(&tensor);
  check_ok(rg_tensor_init(&tensor, RANGO_INT4, &(rg_shape){1, {3}}));
  for (int i = 0; i < 3; i++) rg_tensor_set_double(&tensor, i, 3 * i - 5);
  check_ok(rango_tensor_save_npy(&tensor, folder_path(folder, "i.npy")));
  check_ok(rango_tensor_load_npy(folder_path(folder, "i.npy"), &again));
  assert_int_equal(again->type, RANGO_INT8);
  assert_memory_equal(again->data, ((int8_t[]){-5, -2, 1}), 3);
  rango_tensor_free(again);
  rg_tensor_clear(&tensor);
  folder_remove(folder);
}

static void test_hostile_headers(void **state) {
  static const struct {
    const char *dictionary;
    rango_status status;
    const char *about;
  } bad[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", RANGO_ERROR_FORMAT, "8 bytes of 12"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }", RANGO_ERROR_LIMIT, "too many"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,), }", RANGO_ERROR_LIMIT, "too big"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", RANGO_ERROR_LIMIT, "too big"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", RANGO_ERROR_FORMAT, "size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", RANGO_ERROR_FORMAT, "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", RANGO_ERROR_FORMAT, "end"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}", RANGO_ERROR_LIMIT,
       "axes"},
      {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }", RANGO_ERROR_FORMAT, "True or False"},
      {"{'descr': '<f4', 'fortran_order': False}", RANGO_ERROR_FORMAT, "needed"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", RANGO_ERROR_FORMAT, "twice"},
      {"{'other': '<f4'}", RANGO_ERROR_FORMAT, "unknown key"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", RANGO_ERROR_UNSUPPORTED, "|O"},
      {"{'descr': '<f16', 'fortran_order': False, 'shape': (2,), }", RANGO_ERROR_UNSUPPORTED, "<f16"},
      {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }", RANGO_ERROR_UNSUPPORTED, "<M8[ns]"},
      {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,), }", RANGO_ERROR_UNSUPPORTED, "structured"},
      {"{'descr': '|S0', 'fortran_order': False, 'shape': (1099511627776,), }", RANGO_ERROR_LIMIT, "without a byte"},
      {"[1, 2]", RANGO_ERROR_FORMAT, "dictionary"},
      {"{'descr': '<f4", RANGO_ERROR_FORMAT, "end"},
      {"", RANGO_ERROR_FORMAT, "dictionary"},
  };
  rango_tensor *tensor;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    file f = npy(1, bad[i].dictionary, "0000803f00004040");
    check_fails(rango_tensor_parse_npy(f.bytes, f.size, "bad.npy", &tensor), bad[i].status, bad[i].about);
    assert_non_null(strstr(rango_error_message(), "bad.npy"));
    assert_null(tensor);
  }
  file f = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "0000803f00004040");
  for (size_t cut = 0; cut < f.size; cut++) {
    uint8_t *exact = malloc(cut + 1); /* so that a read past the end is seen */
    memcpy(exact, f.bytes, cut);
    assert_int_equal(rango_tensor_parse_npy(exact, cut, "cut.npy", &tensor), RANGO_ERROR_FORMAT);
    free(exact);
  }
  f.bytes[6] = 4;
  check_fails(rango_tensor_parse_npy(f.bytes, f.size, "new.npy", &tensor), RANGO_ERROR_UNSUPPORTED, "version 4");
}

static void test_data_in_place(void **state) {
  file f = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "0000803f00004040");
  rg_buffer *buffer;
  rango_tensor tensor;
  check_ok(rg_buffer_create(f.size, &buffer));
  memcpy(rg_buffer_data(buffer), f.bytes, f.size);
  check_ok(rg_npy_parse(buffer, rg_buffer_data(buffer), f.size, "x.npy", &tensor));
  assert_ptr_equal(tensor.data, (uint8_t *)rg_buffer_data(buffer) + 128);
  rg_buffer_release(buffer); /* the tensor holds it */
  assert_true(((const float *)tensor.data)[1] == 3);
  rg_tensor_clear(&tensor);
}

static rango_status parse_strings(void *argument) {
  rango_tensor *tensor;
  const file *f = argument;
  RG_TRY(rango_tensor_parse_npy(f->bytes, f->size, "s.npy", &tensor));
  rango_tensor_free(tensor);
  return RANGO_OK;
}

static void test_without_memory(void **state) {
  file f = npy(1, "{'descr': '>U2', 'fortran_order': True, 'shape': (2, 1), }", "00000061000000620000006300000000");
  assert_int_equal(fail_every_allocation(parse_strings, &f, 20), 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_type),
      cmocka_unit_test(test_shapes_round_trip),
      cmocka_unit_test(test_order_and_endianness),
      cmocka_unit_test(test_versions_and_spellings),
      cmocka_unit_test(test_strings),
      cmocka_unit_test(test_types_that_numpy_lacks),
      cmocka_unit_test(test_hostile_headers),
      cmocka_unit_test(test_data_in_place),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
