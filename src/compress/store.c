#include "compress/store.h"

#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "compress/fingerprint.h"

#define VERSION 1
#define WORD    sizeof(uint64_t)

typedef struct store_header {
  uint8_t magic[8];
  uint32_t version, order;
} store_header;

typedef struct store_trailer {
  uint64_t bytes, hash;
} store_trailer;

static const store_header expected = {{0x89, 'R', 'G', 'S', '\r', '\n', 0x1a, '\n'}, VERSION, 0x01020304};

struct rg_store {
  rg_arena *arena;
  const char *path;
  rg_file_writer *writer; /* NULL: reading */
  rg_buffer *file;
  const uint8_t *at, *end; /* what is left to read, without the trailer */
  uint64_t hash;           /* of what was written */
};

bool rg_store_is_reading(const rg_store *store) { return !store->writer; }
const char *rg_store_path(const rg_store *store) { return store->path; }

void rg_store_free(rg_store *store) {
  if (!store) return;
  rg_file_writer_free(store->writer);
  rg_buffer_release(store->file);
  rg_arena_free(store->arena);
  rg_free(store);
}

/* Word by word, so that it doesn't matter in which pieces they come; a last piece of a word is filled up with zeros. */
static uint64_t hash_words(uint64_t hash, const void *data, size_t bytes) {
  const uint8_t *at = data;
  for (size_t left = bytes; left;) {
    size_t now = left < WORD ? left : WORD;
    int64_t word = 0;
    memcpy(&word, at, now);
    hash = rg_hash_i64(hash, word);
    at += now;
    left -= now;
  }
  return hash;
}

static void put(rg_store *store, const void *data, size_t bytes) {
  static const uint8_t zeros[WORD];
  rg_file_writer_write(store->writer, data, bytes);
  if (bytes % WORD) rg_file_writer_write(store->writer, zeros, WORD - bytes % WORD);
  store->hash = hash_words(store->hash, data, bytes);
}

static rango_status store_new(const char *path, rg_store **out) {
  rg_store *store = NULL;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *store, RG_OUT(&store)));
  store->hash = RG_HASH_START;
  rango_status status = rg_arena_create(&store->arena);
  if (status == RANGO_OK) status = rg_arena_strndup(store->arena, path, strlen(path), &store->path);
  if (status == RANGO_OK)
    *out = store;
  else
    rg_store_free(store);
  return status;
}

rango_status rg_store_write(const char *path, rg_store **out) {
  RG_TRY(store_new(path, out));
  rango_status status = rg_file_writer_create(path, &(*out)->writer);
  if (status == RANGO_OK) {
    put(*out, &expected, sizeof expected);
    return RANGO_OK;
  }
  rg_store_free(*out);
  *out = NULL;
  return status;
}

/* ---- reading ---- */

static rango_status check_file(rg_store *store) {
  const uint8_t *data = rg_buffer_data(store->file);
  size_t bytes = rg_buffer_bytes(store->file);
  store_header header;
  store_trailer trailer;
  RG_FAIL_IF(bytes < sizeof header || memcmp(data, expected.magic, sizeof expected.magic) != 0, RANGO_ERROR_FORMAT,
             "%s: not a file of statistics", store->path);
  memcpy(&header, data, sizeof header);
  RG_FAIL_IF(header.order != expected.order, RANGO_ERROR_FORMAT, "%s: made on a machine of another byte order",
             store->path);
  RG_FAIL_IF(header.version != VERSION, RANGO_ERROR_FORMAT, "%s: made by another version of Rango: calibrate again",
             store->path);
  RG_FAIL_IF(bytes < sizeof header + sizeof trailer || bytes % WORD, RANGO_ERROR_FORMAT, "%s: the file is cut short",
             store->path);
  memcpy(&trailer, data + bytes - sizeof trailer, sizeof trailer);
  size_t covered = bytes - sizeof trailer;
  RG_FAIL_IF(trailer.bytes != covered, RANGO_ERROR_FORMAT, "%s: the file is cut short", store->path);
  RG_FAIL_IF(hash_words(RG_HASH_START, data, covered) != trailer.hash, RANGO_ERROR_FORMAT, "%s: the file is damaged",
             store->path);
  store->at = data + sizeof header;
  store->end = data + covered;
  return RANGO_OK;
}

rango_status rg_store_read(const char *path, rg_store **out) {
  RG_TRY(store_new(path, out));
  rango_status status = rg_file_map(path, &(*out)->file);
  if (status == RANGO_OK) status = check_file(*out);
  if (status == RANGO_OK) return RANGO_OK;
  rg_store_free(*out);
  *out = NULL;
  return status;
}

static rango_status wrong_content(const rg_store *store) {
  return rg_fail(RANGO_ERROR_FORMAT, "%s: not what this model's statistics hold", store->path);
}

/* ---- items ---- */

rango_status rg_store_item(rg_store *store, void *item, size_t bytes) {
  if (store->writer) {
    put(store, item, bytes);
    return RANGO_OK;
  }
  size_t padded = rg_round_up(bytes, WORD);
  if (padded < bytes || padded > (size_t)(store->end - store->at)) return wrong_content(store);
  memcpy(item, store->at, bytes);
  store->at += padded;
  return RANGO_OK;
}

rango_status rg_store_array(rg_store *store, void **array, int64_t count, size_t element_bytes) {
  size_t bytes;
  RG_FAIL_IF(count < 0 || !rg_mul_size((size_t)count, element_bytes, &bytes) || bytes > PTRDIFF_MAX, RANGO_ERROR_LIMIT,
             "%s: an array is too large", store->path);
  int64_t size = store->writer && !*array ? -1 : (int64_t)bytes;
  RG_TRY(rg_store_item(store, &size, sizeof size));
  if (store->writer) return *array ? rg_store_item(store, *array, bytes) : RANGO_OK;
  *array = NULL;
  if (size < 0) return RANGO_OK;
  if ((size_t)size != bytes || bytes > (size_t)(store->end - store->at)) return wrong_content(store);
  RG_TRY(rg_alloc(bytes, array));
  return rg_store_item(store, *array, bytes);
}

rango_status rg_store_finish(rg_store *store) {
  if (!store->writer) return store->at == store->end ? RANGO_OK : wrong_content(store);
  store_trailer trailer = {.bytes = rg_file_writer_position(store->writer), .hash = store->hash};
  rg_file_writer_write(store->writer, &trailer, sizeof trailer);
  return rg_file_writer_commit(store->writer);
}
