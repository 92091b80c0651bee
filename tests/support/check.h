/* cmocka and what every test says: that a call succeeded, or failed in the expected way with a message about it. */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rango.h"

/* Fails the test with the library's message. */
#define check_ok(expression)                                                                                           \
  do {                                                                                                                 \
    rango_status check_status_ = (expression);                                                                         \
    if (check_status_ != RANGO_OK) fail_msg("%s: %s", #expression, rango_error_message());                             \
  } while (0)

/* The status, and a message that has `text` in it. */
#define check_fails(expression, status, text)                                                                          \
  do {                                                                                                                 \
    assert_int_equal((expression), (status));                                                                          \
    if (!strstr(rango_error_message(), (text)))                                                                        \
      fail_msg("%s: \"%s\" says nothing about \"%s\"", #expression, rango_error_message(), (text));                    \
  } while (0)

#endif
