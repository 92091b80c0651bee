#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rango_log_function log_function;
static void *log_user;
static atomic_int threshold = RANGO_LOG_WARNING + 1; /* nothing passes while there is no function */

void rango_set_log(rango_log_function function, void *user, rango_log_level level) {
  pthread_mutex_lock(&lock);
  log_function = function;
  log_user = user;
  atomic_store(&threshold, function ? (int)level : RANGO_LOG_WARNING + 1);
  pthread_mutex_unlock(&lock);
}

void rg_log(rango_log_level level, const char *format, ...) {
  if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed)) return;
  pthread_mutex_lock(&lock);
  rango_log_function function = log_function;
  void *user = log_user;
  pthread_mutex_unlock(&lock);
  if (!function) return;
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  function(user, level, text);
}
