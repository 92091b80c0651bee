/* Writing .npz: float32 arrays, stored as they are, in one archive. */
#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"
#include "compress/dataset.h"

#define HEADER_MOST 256

/* An array as an .npy file of version 1.0 in memory; the header ends at a multiple of 64 bytes. */
static rango_status make_npy(const rango_tensor *tensor, void **out, size_t *bytes) {
  char text[HEADER_MOST];
  int length = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < tensor->shape.rank; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%lld,", (long long)tensor->shape.dims[i]);
  length += snprintf(text + length, sizeof text - (size_t)length, "), }");
  while ((10 + length + 1) % 64) text[length++] = ' ';
  text[length++] = '\n';
  uint8_t start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(length & 0xff), (uint8_t)(length >> 8)};
  *bytes = sizeof start + (size_t)length + tensor->bytes;
  RG_TRY(rg_alloc(*bytes, out));
  memcpy(*out, start, sizeof start);
  memcpy((char *)*out + sizeof start, text, (size_t)length);
  memcpy((char *)*out + sizeof start + (size_t)length, tensor->data, tensor->bytes);
  return RANGO_OK;
}

static rango_status add_member(zip_t *archive, const char *name, const void *data, size_t bytes) {
  char member[128];
  snprintf(member, sizeof member, "%s.npy", name);
  zip_source_t *source = zip_source_buffer(archive, data, bytes, 0);
  zip_int64_t index = source ? zip_file_add(archive, member, source, ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) {
    zip_source_free(source);
    RG_FAIL(RANGO_ERROR_IO, "array '%s': %s", name, zip_strerror(archive));
  }
  zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0);
  zip_file_set_mtime(archive, (zip_uint64_t)index, 315532800, 0); /* 1980: the same arrays, the same file */
  return RANGO_OK;
}

/* What the archive has become in memory, to the file. */
static rango_status write_out(zip_source_t *memory, const char *path) {
  char block[1 << 16];
  rg_file_writer *writer;
  RG_TRY(rg_file_writer_create(path, &writer));
  rango_status status = zip_source_open(memory) == 0 ? RANGO_OK : rg_fail(RANGO_ERROR_IO, "%s: can't be packed", path);
  if (status == RANGO_OK) {
    zip_int64_t got;
    while ((got = zip_source_read(memory, block, sizeof block)) > 0) rg_file_writer_write(writer, block, (size_t)got);
    zip_source_close(memory);
    status = got < 0 ? rg_fail(RANGO_ERROR_IO, "%s: can't be packed", path) : rg_file_writer_commit(writer);
  }
  rg_file_writer_free(writer);
  return status;
}

rango_status rg_npz_save(const char *path, const char *const *names, const rango_tensor *const *tensors, size_t count) {
  void *files[8] = {NULL};
  rango_status status = RANGO_OK;
  RG_FAIL_IF(count > sizeof files / sizeof *files, RANGO_ERROR_LIMIT, "%s: too many arrays", path);
  zip_source_t *memory = zip_source_buffer_create(NULL, 0, 0, NULL);
  RG_FAIL_IF(!memory, RANGO_ERROR_MEMORY, "%s: out of memory", path);
  zip_source_keep(memory);
  zip_t *archive = zip_open_from_source(memory, ZIP_TRUNCATE, NULL);
  if (!archive) {
    zip_source_free(memory); /* what zip_open_from_source would have taken */
    status = rg_fail(RANGO_ERROR_MEMORY, "%s: out of memory", path);
  }
  for (size_t i = 0; i < count && status == RANGO_OK; i++) {
    size_t bytes;
    status = make_npy(tensors[i], &files[i], &bytes);
    if (status == RANGO_OK) status = add_member(archive, names[i], files[i], bytes);
  }
  if (archive && (status != RANGO_OK || zip_close(archive) != 0)) {
    if (status == RANGO_OK) status = rg_fail(RANGO_ERROR_IO, "%s: %s", path, zip_strerror(archive));
    zip_discard(archive);
  }
  if (status == RANGO_OK) status = write_out(memory, path);
  zip_source_free(memory);
  for (size_t i = 0; i < count; i++) rg_free(files[i]);
  return status;
}
