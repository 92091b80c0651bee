#include "cpu/parallel.h"

#define WORK_MIN 32768 /* of a part: some 10 us, well over what waking a thread takes */

typedef struct loop {
  rg_cpu_body body;
  const void *argument;
  size_t total, grain, parts;
} loop;

static void run_part(void *argument, size_t i) {
  const loop *self = argument;
  size_t begin, end;
  rg_threads_split(self->total, self->grain, self->parts, i, &begin, &end);
  if (begin < end) self->body(self->argument, begin, end);
}

void rg_cpu_parallel(rango_threads *threads, size_t total, size_t grain, size_t work, rg_cpu_body body,
                     const void *argument) {
  if (total == 0) return;
  const size_t count = threads ? (size_t)rango_threads_count(threads) : 1;
  size_t parts = work / WORK_MIN;
  if (parts > count) parts = count;
  if (parts < 2) {
    body(argument, 0, total);
    return;
  }
  loop self = {body, argument, total, grain, parts};
  rg_threads_run(threads, run_part, &self, parts);
}
