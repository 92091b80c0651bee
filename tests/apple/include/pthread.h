#ifndef RG_APPLE_PTHREAD_H
#define RG_APPLE_PTHREAD_H

#include <sys/types.h>

typedef struct rg_pthread *pthread_t;
typedef struct {
  long signature;
  char opaque[56];
} pthread_mutex_t;
typedef struct {
  long signature;
  char opaque[40];
} pthread_cond_t;
typedef struct {
  long signature;
  char opaque[8];
} pthread_once_t;
typedef unsigned long pthread_key_t;
#define PTHREAD_MUTEX_INITIALIZER                                                                                      \
  {                                                                                                                    \
    0x32AAABA7, { 0 }                                                                                                  \
  }
#define PTHREAD_COND_INITIALIZER                                                                                       \
  {                                                                                                                    \
    0x3CB0B1BB, { 0 }                                                                                                  \
  }
#define PTHREAD_ONCE_INIT                                                                                              \
  {                                                                                                                    \
    0x30B1BCBA, { 0 }                                                                                                  \
  }

int pthread_create(pthread_t *out, const void *attributes, void *(*start)(void *), void *argument);
int pthread_join(pthread_t thread, void **result);
pthread_t pthread_self(void);
int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_unlock(pthread_mutex_t *mutex);
int pthread_mutex_destroy(pthread_mutex_t *mutex);
int pthread_cond_init(pthread_cond_t *condition, const void *attributes);
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int pthread_cond_signal(pthread_cond_t *condition);
int pthread_cond_broadcast(pthread_cond_t *condition);
int pthread_cond_destroy(pthread_cond_t *condition);
int pthread_once(pthread_once_t *once, void (*function)(void));
int pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int pthread_setspecific(pthread_key_t key, const void *value);
void *pthread_getspecific(pthread_key_t key);

#endif
