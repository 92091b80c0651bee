/* .npz: a zip archive with one .npy an array, named after a model's inputs. */
#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "compress/dataset.h"
#include "tensor/npy.h"

#define MEMBER_MAX (UINT64_C(1) << 34) /* bytes of one array: a forged size must not be allocated */

static rango_status read_member(zip_t *archive, const char *path, const char *member, rg_buffer **out) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  RG_FAIL_IF(zip_stat(archive, member, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE), RANGO_ERROR_ARGUMENT,
             "%s: no array '%s'", path, member);
  RG_FAIL_IF(stat.size > MEMBER_MAX, RANGO_ERROR_LIMIT, "%s: array '%s' is too large", path, member);
  RG_TRY(rg_buffer_create((size_t)stat.size, out));
  zip_file_t *file = zip_fopen(archive, member, 0);
  zip_int64_t got = file ? zip_fread(file, rg_buffer_data(*out), stat.size) : -1;
  if (file) zip_fclose(file);
  if (got >= 0 && (zip_uint64_t)got == stat.size) return RANGO_OK;
  rg_buffer_release(*out);
  *out = NULL;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: array '%s' can't be unpacked", path, member);
}

static rango_status load_member(zip_t *archive, const char *path, const char *input, rango_tensor *to) {
  char member[512], label[1024];
  int length = snprintf(member, sizeof member, "%s.npy", input);
  RG_FAIL_IF(length < 0 || (size_t)length >= sizeof member, RANGO_ERROR_LIMIT, "%s: the input's name is too long",
             path);
  rg_buffer *buffer = NULL;
  RG_TRY(read_member(archive, path, member, &buffer));
  snprintf(label, sizeof label, "%s: %s", path, member);
  rango_status status = rg_npy_parse(buffer, rg_buffer_data(buffer), rg_buffer_bytes(buffer), label, to);
  rg_buffer_release(buffer);
  return status;
}

rango_status rg_npz_load(const rango_model *model, const char *path, rango_tensor *items, size_t count) {
  int code = 0;
  zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    rango_status status = rg_fail(code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS ? RANGO_ERROR_FORMAT : RANGO_ERROR_IO,
                                  "%s: %s", path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
  }
  rango_status status = RANGO_OK;
  rango_value_info info;
  for (size_t i = 0; i < count && status == RANGO_OK; i++) {
    status = rango_model_input(model, i, &info);
    if (status == RANGO_OK) status = load_member(archive, path, info.name, &items[i]);
  }
  zip_discard(archive);
  return status;
}
