/* NumPy's format (numpy.lib.format, versions 1.0 to 3.0): "\x93NUMPY", version, length of the header, then
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } in any order. */
#include "tensor/npy_header.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

typedef struct cursor {
  const char *at, *end;
  const char *name;
} cursor;

static rango_status malformed(const cursor *c, const char *why) {
  return rg_fail(RANGO_ERROR_FORMAT, "%s: malformed .npy header: %s", c->name, why);
}

static void skip_spaces(cursor *c) {
  while (c->at < c->end && isspace((unsigned char)*c->at)) c->at++;
}

/* Takes one character if it comes next. */
static bool take(cursor *c, char character) {
  skip_spaces(c);
  if (c->at == c->end || *c->at != character) return false;
  c->at++;
  return true;
}

/* 'text' or "text" without escapes, cut to the size of `out`. */
static rango_status read_string(cursor *c, char *out, size_t bytes) {
  char quote = take(c, '\'') ? '\'' : take(c, '"') ? '"' : 0;
  if (!quote) return malformed(c, "a string was expected");
  size_t length = 0;
  for (; c->at < c->end && *c->at != quote; c->at++)
    if (length + 1 < bytes) out[length++] = *c->at;
  out[length] = 0;
  return take(c, quote) ? RANGO_OK : malformed(c, "a string does not end");
}

static rango_status read_bool(cursor *c, bool *out) {
  skip_spaces(c);
  size_t left = (size_t)(c->end - c->at);
  *out = left >= 4 && memcmp(c->at, "True", 4) == 0;
  if (!*out && (left < 5 || memcmp(c->at, "False", 5) != 0)) return malformed(c, "True or False was expected");
  c->at += *out ? 4 : 5;
  return RANGO_OK;
}

static rango_status read_size(cursor *c, int64_t *out) {
  skip_spaces(c);
  int64_t value = 0;
  if (c->at == c->end || !isdigit((unsigned char)*c->at)) return malformed(c, "a size was expected in the shape");
  for (; c->at < c->end && isdigit((unsigned char)*c->at); c->at++)
    RG_FAIL_IF(!rg_mul_i64(value, 10, &value) || !rg_add_i64(value, *c->at - '0', &value), RANGO_ERROR_LIMIT,
               "%s: a size in the shape is too big", c->name);
  (void)take(c, 'L'); /* Python 2's long */
  *out = value;
  return RANGO_OK;
}

static rango_status read_shape(cursor *c, rg_shape *out) {
  if (!take(c, '(')) return malformed(c, "the shape is no tuple");
  *out = (rg_shape){0};
  while (!take(c, ')')) {
    RG_FAIL_IF(out->rank == RANGO_MAX_RANK, RANGO_ERROR_LIMIT, "%s: more than %d axes", c->name, RANGO_MAX_RANK);
    RG_TRY(read_size(c, &out->dims[out->rank++]));
    bool more = take(c, ',');
    skip_spaces(c);
    if (!more && (c->at == c->end || *c->at != ')')) return malformed(c, "the shape does not end");
  }
  return RANGO_OK;
}

/* "<f4", "|b1", ">U10": byte order, kind, bytes (of U: characters of four bytes). */
static rango_status read_descr(const cursor *c, const char *descr, rg_npy_header *out) {
  static const struct {
    char kind;
    unsigned item;
    rango_type type;
  } known[] = {
      {'f', 2, RANGO_FLOAT16},   {'f', 4, RANGO_FLOAT32},     {'f', 8, RANGO_FLOAT64}, {'i', 1, RANGO_INT8},
      {'i', 2, RANGO_INT16},     {'i', 4, RANGO_INT32},       {'i', 8, RANGO_INT64},   {'u', 1, RANGO_UINT8},
      {'u', 2, RANGO_UINT16},    {'u', 4, RANGO_UINT32},      {'u', 8, RANGO_UINT64},  {'b', 1, RANGO_BOOL},
      {'c', 8, RANGO_COMPLEX64}, {'c', 16, RANGO_COMPLEX128},
  };
  char *end = (char *)descr, order = descr[0], kind = order ? descr[1] : 0;
  unsigned long item = kind && isdigit((unsigned char)descr[2]) ? strtoul(descr + 2, &end, 10) : 0;
  if (end == descr || *end || item > UINT32_MAX || !strchr("<>|=", order))
    return rg_fail(RANGO_ERROR_UNSUPPORTED, "%s: elements of type '%s' are not supported", c->name, descr);
  out->kind = kind;
  out->item = kind == 'U' ? (size_t)item * 4 : item;
  out->type = RANGO_UNDEFINED;
  if (kind == 'S' || kind == 'U') out->type = RANGO_STRING;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].kind == kind && known[i].item == item) out->type = known[i].type;
  RG_FAIL_IF(out->type == RANGO_UNDEFINED, RANGO_ERROR_UNSUPPORTED, "%s: elements of type '%s' are not supported",
             c->name, descr);
  /* '|' is what NumPy writes where order means nothing, '=' (this machine's) it never writes. */
  out->big_endian = order == '>';
  return RANGO_OK;
}

static rango_status read_dictionary(cursor *c, rg_npy_header *out) {
  enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
  int seen = 0;
  char key[32], descr[64];
  if (!take(c, '{')) return malformed(c, "no dictionary");
  while (!take(c, '}')) {
    RG_TRY(read_string(c, key, sizeof key));
    if (!take(c, ':')) return malformed(c, "':' is missing");
    int entry = strcmp(key, "descr") == 0 ? DESCR : strcmp(key, "fortran_order") == 0 ? ORDER : 0;
    if (strcmp(key, "shape") == 0) entry = SHAPE;
    if (!entry || seen & entry) return malformed(c, entry ? "a key comes twice" : "an unknown key");
    seen |= entry;
    if (entry == DESCR) {
      skip_spaces(c);
      RG_FAIL_IF(c->at < c->end && *c->at == '[', RANGO_ERROR_UNSUPPORTED, "%s: structured arrays are not supported",
                 c->name);
      RG_TRY(read_string(c, descr, sizeof descr));
      RG_TRY(read_descr(c, descr, out));
    } else if (entry == ORDER) {
      RG_TRY(read_bool(c, &out->fortran));
    } else {
      RG_TRY(read_shape(c, &out->shape));
    }
    bool more = take(c, ',');
    skip_spaces(c);
    if (!more && (c->at == c->end || *c->at != '}')) return malformed(c, "it does not end");
  }
  return seen == (DESCR | ORDER | SHAPE) ? RANGO_OK : malformed(c, "descr, fortran_order and shape are all needed");
}

static rango_status check_size(const char *name, size_t bytes, const rg_npy_header *h) {
  int64_t count;
  size_t needed;
  rango_status status = rg_shape_count(&h->shape, &count);
  if (status != RANGO_OK) return rg_fail_context(status, "%s", name);
  RG_FAIL_IF(!rg_mul_size((size_t)count, h->item, &needed), RANGO_ERROR_LIMIT, "%s: the array is too big", name);
  RG_FAIL_IF(needed > bytes - h->data_offset, RANGO_ERROR_FORMAT, "%s: the data is cut short: %zu bytes of %zu", name,
             bytes - h->data_offset, needed);
  /* Elements without bytes ('S0') would let a tiny file ask for any number of them. */
  RG_FAIL_IF(!h->item && count > (int64_t)bytes, RANGO_ERROR_LIMIT, "%s: %lld elements without a byte", name,
             (long long)count);
  return RANGO_OK;
}

rango_status rg_npy_read_header(const uint8_t *data, size_t bytes, const char *name, rg_npy_header *out) {
  *out = (rg_npy_header){0};
  RG_FAIL_IF(bytes < 10 || memcmp(data, "\x93NUMPY", 6) != 0, RANGO_ERROR_FORMAT, "%s: not an .npy file", name);
  RG_FAIL_IF(data[6] < 1 || data[6] > 3, RANGO_ERROR_UNSUPPORTED, "%s: .npy version %d.%d is not supported", name,
             data[6], data[7]);
  size_t start = data[6] == 1 ? 10 : 12;
  RG_FAIL_IF(bytes < start, RANGO_ERROR_FORMAT, "%s: the .npy header is cut short", name);
  size_t length = data[8] | (size_t)data[9] << 8;
  if (data[6] > 1) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
  RG_FAIL_IF(length > bytes - start, RANGO_ERROR_FORMAT, "%s: the .npy header is cut short", name);
  cursor c = {(const char *)data + start, (const char *)data + start + length, name};
  RG_TRY(read_dictionary(&c, out));
  out->data_offset = start + length;
  return check_size(name, bytes, out);
}
