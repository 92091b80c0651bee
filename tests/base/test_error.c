/* The thread's message, and the log. */
#include <pthread.h>

#include "base/error.h"
#include "base/log.h"
#include "support/check.h"

static void test_message(void **state) {
  assert_int_equal(rg_fail(RANGO_ERROR_FORMAT, "axis %d of %s", 3, "X"), RANGO_ERROR_FORMAT);
  assert_string_equal(rango_error_message(), "axis 3 of X");
  assert_int_equal(rg_fail_context(RANGO_ERROR_IO, "file '%s'", "a.onnx"), RANGO_ERROR_IO);
  assert_string_equal(rango_error_message(), "file 'a.onnx': axis 3 of X");
}

static void test_message_as_its_own_argument(void **state) {
  rg_fail(RANGO_ERROR_FORMAT, "first");
  rg_fail_context(RANGO_ERROR_FORMAT, "again %s", rango_error_message());
  assert_string_equal(rango_error_message(), "again first: first");
  rg_fail(RANGO_ERROR_FORMAT, "[%s]", rango_error_message());
  assert_string_equal(rango_error_message(), "[again first: first]");
}

static void test_message_is_bounded_and_one_line(void **state) {
  rg_fail(RANGO_ERROR_FORMAT, "name 'a\nb\tc\x01'");
  assert_string_equal(rango_error_message(), "name 'a b c '");
  rg_fail(RANGO_ERROR_FORMAT, "x");
  for (int i = 0; i < 500; i++) rg_fail_context(RANGO_ERROR_FORMAT, "node %d", i);
  assert_true(strlen(rango_error_message()) > 500 && strlen(rango_error_message()) < 4096);
  assert_memory_equal(rango_error_message(), "node 499: node 498: ", 20);
}

static void *other_thread(void *message) {
  rg_fail(RANGO_ERROR_IO, "other");
  strcpy(message, rango_error_message());
  return NULL;
}

static void test_message_is_the_threads_own(void **state) {
  char other[64];
  pthread_t thread;
  rg_fail(RANGO_ERROR_FORMAT, "mine");
  assert_int_equal(pthread_create(&thread, NULL, other_thread, other), 0);
  pthread_join(thread, NULL);
  assert_string_equal(other, "other");
  assert_string_equal(rango_error_message(), "mine");
}

static void test_status_names(void **state) {
  for (int i = RANGO_OK; i <= RANGO_ERROR_INTERNAL; i++) {
    assert_non_null(rango_status_name((rango_status)i));
    for (int j = 0; j < i; j++)
      assert_string_not_equal(rango_status_name((rango_status)i), rango_status_name((rango_status)j));
  }
  assert_string_equal(rango_status_name(RANGO_ERROR_MEMORY), "out of memory");
  assert_string_equal(rango_status_name((rango_status)99), "unknown status");
  assert_string_equal(rango_status_name((rango_status)-1), "unknown status");
}

static char logged[128];
static void keep(void *user, rango_log_level level, const char *message) {
  ++*(int *)user;
  snprintf(logged, sizeof logged, "%d %s", (int)level, message);
}

static void test_log(void **state) {
  int calls = 0;
  rg_log(RANGO_LOG_WARNING, "nobody listens");
  rango_set_log(keep, &calls, RANGO_LOG_INFO);
  rg_log(RANGO_LOG_DEBUG, "too small");
  assert_int_equal(calls, 0);
  rg_log(RANGO_LOG_INFO, "plan %d", 4);
  assert_int_equal(calls, 1);
  assert_string_equal(logged, "1 plan 4");
  rango_set_log(NULL, NULL, RANGO_LOG_DEBUG);
  rg_log(RANGO_LOG_WARNING, "nobody listens");
  assert_int_equal(calls, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_message),
      cmocka_unit_test(test_message_as_its_own_argument),
      cmocka_unit_test(test_message_is_bounded_and_one_line),
      cmocka_unit_test(test_message_is_the_threads_own),
      cmocka_unit_test(test_status_names),
      cmocka_unit_test(test_log),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
