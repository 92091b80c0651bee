#include "base/buffer.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checked.h"

struct rg_buffer {
  atomic_size_t references;
  void *data;
  size_t bytes;
  bool mapped;
  rg_buffer *owner; /* of a slice; never a slice itself, so that releasing doesn't nest deeper than once */
};

static rango_status create(size_t extra, rg_buffer **out) {
  *out = NULL;
  size_t total;
  RG_FAIL_IF(!rg_add_size(rg_round_up(sizeof **out, RG_ALIGNMENT), extra, &total), RANGO_ERROR_MEMORY,
             "out of memory: %zu bytes were needed", extra);
  RG_TRY(rg_alloc(total, RG_OUT(out)));
  **out = (rg_buffer){.data = (char *)*out + rg_round_up(sizeof **out, RG_ALIGNMENT), .bytes = extra};
  atomic_init(&(*out)->references, 1);
  return RANGO_OK;
}

rango_status rg_buffer_create(size_t bytes, rg_buffer **out) { return create(bytes, out); }

rango_status rg_buffer_create_mapped(void *data, size_t bytes, rg_buffer **out) {
  RG_TRY(create(0, out));
  (*out)->data = data;
  (*out)->bytes = bytes;
  (*out)->mapped = true;
  return RANGO_OK;
}

/* Room on the disk for `bytes`, so that writing to the mapping can't fail later. */
static bool make_room(int file, size_t bytes) {
#ifdef __APPLE__
  fstore_t room = {.fst_flags = F_ALLOCATEALL, .fst_posmode = F_PEOFPOSMODE, .fst_length = (off_t)bytes};
  return fcntl(file, F_PREALLOCATE, &room) != -1 && ftruncate(file, (off_t)bytes) == 0;
#else
  return posix_fallocate(file, 0, (off_t)bytes) == 0;
#endif
}

rango_status rg_buffer_create_scratch(size_t bytes, rg_buffer **out) {
  FILE *file = tmpfile();
  void *data = MAP_FAILED;
  *out = NULL;
  RG_FAIL_IF(!file, RANGO_ERROR_IO, "no temporary file");
  if (make_room(fileno(file), bytes)) data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  fclose(file);
  RG_FAIL_IF(data == MAP_FAILED, RANGO_ERROR_IO, "no room for a temporary file of %zu bytes", bytes);
  rango_status status = rg_buffer_create_mapped(data, bytes, out);
  if (status != RANGO_OK) munmap(data, bytes);
  return status;
}

rango_status rg_buffer_slice(rg_buffer *owner, const void *data, size_t bytes, rg_buffer **out) {
  RG_TRY(create(0, out));
  (*out)->data = (void *)data;
  (*out)->bytes = bytes;
  (*out)->owner = rg_buffer_retain(owner->owner ? owner->owner : owner);
  return RANGO_OK;
}

rg_buffer *rg_buffer_retain(rg_buffer *buffer) {
  if (buffer) atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
  return buffer;
}

void rg_buffer_release(rg_buffer *buffer) {
  if (!buffer || atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) != 1) return;
  if (buffer->mapped) munmap(buffer->data, buffer->bytes);
  rg_buffer_release(buffer->owner);
  rg_free(buffer);
}

void *rg_buffer_data(rg_buffer *buffer) { return buffer->data; }
size_t rg_buffer_bytes(const rg_buffer *buffer) { return buffer->bytes; }

void rg_buffer_forget_pages(rg_buffer *buffer, const void *data, size_t bytes) {
  if (!buffer) return;
  const rg_buffer *root = buffer->owner ? buffer->owner : buffer;
  uintptr_t start = (uintptr_t)root->data, begin = (uintptr_t)data;
  if (!root->mapped || !bytes || begin < start || begin - start > root->bytes || bytes > root->bytes - (begin - start))
    return;
  /* Whole pages, rounded outwards: a neighbour's bytes on them are read again from the file, too. The mapping starts on
   * a page. */
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t first = begin / page * page, last = (begin + bytes + page - 1) / page * page;
  madvise((void *)first, last - first, MADV_DONTNEED);
}
