/* TensorProto: the shape, and the elements from whichever of its fields holds them. */
#include "onnx/read.h"

#include "base/checked.h"

#include <string.h>

enum {
  DIMS = 1,
  DATA_TYPE = 2,
  SEGMENT = 3,
  FLOAT_DATA = 4,
  INT32_DATA = 5,
  STRING_DATA = 6,
  INT64_DATA = 7,
  NAME = 8,
  RAW_DATA = 9,
  DOUBLE_DATA = 10,
  UINT64_DATA = 11,
  EXTERNAL_DATA = 13,
  DATA_LOCATION = 14
};

#define KNOWN                                                                                                          \
  (RG_BIT(DIMS) | RG_BIT(DATA_TYPE) | RG_BIT(SEGMENT) | RG_BIT(FLOAT_DATA) | RG_BIT(INT32_DATA) |                      \
   RG_BIT(STRING_DATA) | RG_BIT(INT64_DATA) | RG_BIT(RAW_DATA) | RG_BIT(DOUBLE_DATA) | RG_BIT(UINT64_DATA) |           \
   RG_BIT(EXTERNAL_DATA) | RG_BIT(DATA_LOCATION))

/* The message's fields but for the elements. */
typedef struct tensor_fields {
  rango_type type;
  rg_shape shape;
  int64_t count;
  size_t bytes;
  rg_bytes name, raw;
  bool has_raw, external;
  uint32_t typed;     /* the typed field in use, or 0 */
  size_t typed_count; /* its numbers, or strings */
} tensor_fields;

static void put_dim(void *out, size_t index, uint64_t value) {
  if (index < RANGO_MAX_RANK) ((rg_shape *)out)->dims[index] = (int64_t)value;
}

static rango_status read_dims(const rg_field *field, rg_shape *shape) {
  size_t rank = (size_t)shape->rank;
  RG_TRY(rg_field_list_read(field, RG_LIST_VARINT, put_dim, shape, &rank));
  shape->rank = rank <= RANGO_MAX_RANK ? (int)rank : RANGO_MAX_RANK + 1;
  return RANGO_OK;
}

static rango_status read_type(int64_t number, rango_type *out) {
  RG_FAIL_IF(number <= 0, RANGO_ERROR_FORMAT, "tensor has no element type");
  RG_FAIL_IF(number >= RANGO_TYPE_COUNT, RANGO_ERROR_UNSUPPORTED, "element type %lld is not supported",
             (long long)number);
  *out = (rango_type)number;
  return RANGO_OK;
}

static rg_list_kind list_kind(uint32_t number) {
  return number == FLOAT_DATA ? RG_LIST_FIXED32 : number == DOUBLE_DATA ? RG_LIST_FIXED64 : RG_LIST_VARINT;
}

static rango_status read_field(const rg_field *field, tensor_fields *out, int64_t *type) {
  int64_t number;
  switch (field->number) {
  case DIMS:
    return read_dims(field, &out->shape);
  case DATA_TYPE:
    return rg_field_int(field, type);
  case SEGMENT:
    RG_FAIL(RANGO_ERROR_UNSUPPORTED, "tensor is split in segments, which is not supported");
  case NAME:
    return rg_field_name(field, &out->name);
  case RAW_DATA:
    out->has_raw = true;
    return rg_field_bytes(field, &out->raw);
  case DATA_LOCATION:
    RG_TRY(rg_field_int(field, &number));
    RG_FAIL_IF(number != 0 && number != 1, RANGO_ERROR_FORMAT, "unknown data location %lld", (long long)number);
    out->external = number == 1;
    return RANGO_OK;
  case FLOAT_DATA:
  case INT32_DATA:
  case STRING_DATA:
  case INT64_DATA:
  case DOUBLE_DATA:
  case UINT64_DATA: {
    size_t before = out->typed_count;
    if (field->number == STRING_DATA)
      out->typed_count++;
    else
      RG_TRY(rg_field_list_count(field, list_kind(field->number), &out->typed_count));
    if (out->typed_count == before) return RANGO_OK; /* an empty list says nothing */
    RG_FAIL_IF(out->typed && out->typed != field->number, RANGO_ERROR_FORMAT,
               "tensor has elements in two fields, %u and %u", out->typed, field->number);
    out->typed = field->number;
    return RANGO_OK;
  }
  default:
    return RANGO_OK;
  }
}

static rango_status read_fields(rg_wire message, tensor_fields *out) {
  rg_field field;
  int64_t type = 0;
  while (rg_wire_next(&message, &field)) RG_TRY(read_field(&field, out, &type));
  RG_TRY(message.status);
  RG_FAIL_IF(out->shape.rank > RANGO_MAX_RANK, RANGO_ERROR_LIMIT, "tensor has more than %d axes", RANGO_MAX_RANK);
  RG_TRY(read_type(type, &out->type));
  RG_TRY(rg_shape_count(&out->shape, &out->count));
  return rg_type_bytes(out->type, out->count, &out->bytes);
}

/* ---- elements in typed fields ---- */

/* Which field holds a type's elements, how its numbers are stored, and how many numbers `count` elements take. */
typedef struct typed_form {
  uint32_t number;
  rg_list_put put;
} typed_form;

static typed_form form_of(rango_type type) {
  switch (type) {
  case RANGO_FLOAT32:
  case RANGO_COMPLEX64:
    return (typed_form){FLOAT_DATA, rg_list_put_u32};
  case RANGO_FLOAT64:
  case RANGO_COMPLEX128:
    return (typed_form){DOUBLE_DATA, rg_list_put_u64};
  case RANGO_INT64:
    return (typed_form){INT64_DATA, rg_list_put_u64};
  case RANGO_UINT64:
    return (typed_form){UINT64_DATA, rg_list_put_u64};
  case RANGO_UINT32:
    return (typed_form){UINT64_DATA, rg_list_put_u32};
  case RANGO_INT32:
    return (typed_form){INT32_DATA, rg_list_put_u32};
  case RANGO_INT16:
  case RANGO_UINT16:
  case RANGO_FLOAT16:
  case RANGO_BFLOAT16:
    return (typed_form){INT32_DATA, rg_list_put_u16};
  default:
    return (typed_form){INT32_DATA, rg_list_put_u8}; /* 8 bits and less, those packed in bytes */
  }
}

static size_t numbers_of(rango_type type, size_t bytes) {
  typed_form form = form_of(type);
  return form.put == rg_list_put_u64   ? bytes / 8
         : form.put == rg_list_put_u32 ? bytes / 4
         : form.put == rg_list_put_u16 ? bytes / 2
                                       : bytes;
}

static rango_status read_typed(rg_reader *reader, rg_wire message, const tensor_fields *fields, rango_tensor *out) {
  typed_form form = form_of(fields->type);
  size_t needed = numbers_of(fields->type, fields->bytes);
  char shape[RG_SHAPE_TEXT];
  RG_FAIL_IF(fields->typed && fields->typed != form.number, RANGO_ERROR_FORMAT,
             "elements of type %s can't be in field %u", rango_type_name(fields->type), fields->typed);
  RG_FAIL_IF(fields->typed_count != needed, RANGO_ERROR_FORMAT, "%s tensor %s needs %zu numbers but has %zu",
             rango_type_name(fields->type), rg_shape_text(&fields->shape, shape, sizeof shape), needed,
             fields->typed_count);
  RG_TRY(rg_reader_charge(reader, fields->bytes));
  RG_TRY(rg_tensor_init(out, fields->type, &fields->shape));
  rg_field field;
  size_t index = 0;
  while (rg_wire_next(&message, &field))
    if (field.number == form.number)
      RG_TRY(rg_field_list_read(&field, list_kind(field.number), form.put, out->data, &index));
  return RANGO_OK;
}

static rango_status read_strings(rg_reader *reader, rg_wire message, const tensor_fields *fields, rango_tensor *out) {
  size_t count = (size_t)fields->count, index = 0;
  RG_FAIL_IF(fields->typed && fields->typed != STRING_DATA, RANGO_ERROR_FORMAT, "strings can't be in field %u",
             fields->typed);
  RG_FAIL_IF(fields->typed_count != count, RANGO_ERROR_FORMAT, "string tensor needs %zu strings but has %zu", count,
             fields->typed_count);
  RG_TRY(rg_reader_charge(reader, (uint64_t)count * (sizeof(rg_string) + sizeof(char *) + 4)));
  rg_string *strings = NULL;
  RG_TRY(rg_calloc(count, sizeof *strings, RG_OUT(&strings)));
  rango_status status = RANGO_OK;
  rg_field field;
  rg_bytes text;
  uint64_t total = 0;
  while (rg_wire_next(&message, &field)) {
    if (field.number != STRING_DATA) continue;
    RG_TRY_DONE(rg_field_bytes(&field, &text));
    strings[index++] = (rg_string){(const char *)text.data, text.bytes};
    total += text.bytes + 1;
  }
  RG_TRY_DONE(rg_reader_charge(reader, total));
  status = rg_tensor_init_strings(out, &fields->shape, strings);
done:
  rg_free(strings);
  return status;
}

/* ---- elements as raw bytes ---- */

#define FORGET_BYTES 65536 /* copies of this size on let go of the file's pages */
#define SLICE_BYTES  256   /* about what a reference to a part of a buffer takes */

static size_t alignment_of(rango_type type) {
  size_t bits = rango_type_bits(type);
  if (type == RANGO_COMPLEX64 || type == RANGO_COMPLEX128) bits /= 2;
  return bits <= 8 ? 1 : bits / 8;
}

rango_status rg_reader_place(rg_reader *reader, rg_buffer *buffer, rg_bytes data, rango_type type,
                             const rg_shape *shape, rango_tensor *out) {
  bool in_place = type == RANGO_FLOAT32 && data.bytes >= RG_UNALIGNED_BYTES; /* at any address: graph.h */
  if (in_place || (uintptr_t)data.data % alignment_of(type) == 0) {
    rg_buffer *slice;
    RG_TRY(rg_reader_charge(reader, SLICE_BYTES));
    RG_TRY(rg_buffer_slice(buffer, data.data, data.bytes, &slice));
    rg_tensor_init_borrowed(out, type, shape, (void *)(uintptr_t)data.data, data.bytes);
    out->buffer = slice;
    return RANGO_OK;
  }
  RG_TRY(rg_reader_charge(reader, data.bytes));
  RG_TRY(rg_tensor_init(out, type, shape));
  memcpy(out->data, data.data, data.bytes);
  if (data.bytes >= FORGET_BYTES) rg_buffer_forget_pages(buffer, data.data, data.bytes);
  return RANGO_OK;
}

static rango_status read_raw(rg_reader *reader, const tensor_fields *fields, rango_tensor *out) {
  char shape[RG_SHAPE_TEXT];
  RG_FAIL_IF(fields->raw.bytes != fields->bytes, RANGO_ERROR_FORMAT, "%s tensor %s needs %zu bytes but has %zu",
             rango_type_name(fields->type), rg_shape_text(&fields->shape, shape, sizeof shape), fields->bytes,
             fields->raw.bytes);
  return rg_reader_place(reader, reader->file, fields->raw, fields->type, &fields->shape, out);
}

static rango_status read_elements(rg_reader *reader, rg_wire message, const tensor_fields *fields, rango_tensor *out) {
  if (fields->external) {
    RG_FAIL_IF(fields->type == RANGO_STRING, RANGO_ERROR_FORMAT, "strings can't be external data");
    RG_FAIL_IF(fields->typed || fields->raw.bytes, RANGO_ERROR_FORMAT, "tensor has elements here and in another file");
    return rg_read_external(reader, message, fields->type, &fields->shape, fields->bytes, out);
  }
  RG_FAIL_IF(fields->typed && fields->raw.bytes, RANGO_ERROR_FORMAT, "tensor has elements twice, raw and typed");
  if (fields->type == RANGO_STRING) {
    RG_FAIL_IF(fields->raw.bytes, RANGO_ERROR_FORMAT, "strings can't be raw data");
    return read_strings(reader, message, fields, out);
  }
  if (fields->has_raw && !fields->typed) return read_raw(reader, fields, out);
  return read_typed(reader, message, fields, out);
}

rango_status rg_read_tensor(rg_reader *reader, rg_wire message, rango_tensor *out, rg_bytes *name, rg_bytes *extra) {
  tensor_fields fields = {0};
  RG_TRY(rg_reader_enter(reader));
  *out = (rango_tensor){0};
  rango_status status = read_fields(message, &fields);
  if (name) *name = fields.name; /* for the message, too */
  if (status == RANGO_OK) status = read_elements(reader, message, &fields, out);
  if (status == RANGO_OK && extra)
    status = rg_reader_extra(reader, message, name ? KNOWN | RG_BIT(NAME) : KNOWN, extra);
  if (status != RANGO_OK) rg_tensor_clear(out);
  reader->depth--;
  return status;
}
