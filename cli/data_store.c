/* Memory of the arrays that are read from images and .csv files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data.h"
#include "output.h"

#define MEMORY_MAX                                                                                                     \
  ((size_t)1 << 30) /* larger arrays lie in a file, from which the system keeps what it has room for                   \
                     */

static bool count_bytes(rango_type type, int rank, const int64_t *dims, size_t *bytes) {
  *bytes = rango_type_bits(type) / 8;
  for (int i = 0; i < rank; i++) {
    if (dims[i] != 0 && *bytes > (size_t)PTRDIFF_MAX / (size_t)dims[i]) return false;
    *bytes *= (size_t)dims[i];
  }
  return true;
}

/* Room for `bytes` bytes in a file that is gone when the process ends. An errno value. */
static int map_temporary(size_t bytes, void **out) {
  const char *folder = getenv("TMPDIR");
  char name[4096];
  if (!folder || !*folder) folder = "/tmp";
  if (snprintf(name, sizeof name, "%s/rango-XXXXXX", folder) >= (int)sizeof name) return ENAMETOOLONG;
  int file = mkstemp(name);
  if (file < 0) return errno;
  unlink(name);
#ifdef __APPLE__
  int failed = ftruncate(file, (off_t)bytes) == 0 ? 0 : errno;
#else
  int failed = posix_fallocate(file, 0, (off_t)bytes); /* a full disk must say so here, not by a signal later */
#endif
  if (failed == 0) {
    *out = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (*out == MAP_FAILED) failed = errno;
  }
  close(file);
  return failed;
}

int data_store(const char *path, rango_type type, int rank, const int64_t *dims, size_t index, data_arrays *arrays) {
  size_t bytes;
  if (!count_bytes(type, rank, dims, &bytes)) return report_failure_of("%s: the data is too large", path);
  rango_tensor **out = &arrays->items[index];
  if (bytes <= MEMORY_MAX)
    return rango_tensor_create(type, rank, dims, out) == RANGO_OK ? EXIT_DONE : report_failure_on(path);
  void *memory = NULL;
  int failed = map_temporary(bytes, &memory);
  if (failed)
    return report_failure_of("%s: no room for %s in a temporary file ($TMPDIR says where): %s", path,
                             text_bytes((int64_t)bytes), strerror(failed));
  arrays->mapped[index] = memory;
  arrays->mapped_bytes[index] = bytes;
  return rango_tensor_wrap(type, rank, dims, memory, bytes, out) == RANGO_OK ? EXIT_DONE : report_failure_on(path);
}

void data_arrays_free(data_arrays *arrays) {
  for (size_t i = 0; i < arrays->count; i++) {
    rango_tensor_free(arrays->items[i]);
    if (arrays->mapped[i]) munmap(arrays->mapped[i], arrays->mapped_bytes[i]);
  }
  free(arrays->items);
  free(arrays->mapped);
  free(arrays->mapped_bytes);
  rango_tensor_free(arrays->labels);
  *arrays = (data_arrays){0};
}
