/* What the files of the reader share. Each read_*.c turns one kind of message into its part of the graph; messages of
 * errors are completed on the way out: "file: node 'x' (Conv): attribute 'pads': ...". */
#ifndef RG_ONNX_READ_H
#define RG_ONNX_READ_H

#include "graph/names.h"
#include "onnx/onnx.h"
#include "onnx/wire.h"

#define RG_ONNX_MAX_ATTRIBUTES 1024 /* of a node */
#define RG_ONNX_MAX_OPSETS     128  /* imported by a model or function */

typedef struct rg_reader {
  rango_model *model; /* NULL while a tensor alone is read */
  rg_buffer *file;
  const char *folder; /* of external data, or NULL */
  uint64_t budget;
  uint64_t copied; /* bytes allocated beside the model's arena */
  int depth;       /* of nested messages */
  rg_names *names; /* under &mapped: location → rg_buffer. Under the reader: functions */
  struct {
    rg_buffer **items;
    size_t count, capacity;
  } mapped;   /* files of external data */
  char *text; /* a name, zero-terminated: rg_reader_text */
  size_t text_bytes;
  const rg_opset *opsets; /* in force: the model's or a function's */
  size_t opset_count;
} rg_reader;

/* A graph being read. */
typedef struct rg_scope {
  rg_graph *graph;
  struct rg_scope *outer;
  rg_node *current; /* the node being read */
  bool unsorted;    /* a node uses what a later one makes */
} rg_scope;

rango_status rg_reader_enter(rg_reader *reader); /* a nested message; leave on the way out is `reader->depth--` */
rango_status rg_reader_charge(rg_reader *reader, uint64_t bytes);
/* Zeroed memory of the model's arena, within the budget. */
rango_status rg_reader_alloc(rg_reader *reader, size_t count, size_t size, void **out);
rango_status rg_reader_string(rg_reader *reader, rg_bytes text, const char **out);
rango_status rg_reader_name(rg_reader *reader, const rg_field *field, const char **out);
/* The text with a zero behind it, until the next call. */
rango_status rg_reader_text(rg_reader *reader, rg_bytes text, const char **out);
rango_status rg_reader_copy(rg_reader *reader, rg_bytes from, rg_bytes *out);

/* The fields whose numbers are not in `known` (a bit each), one after the other as they were read. */
#define RG_BIT(number) (UINT64_C(1) << (number))
rango_status rg_reader_extra(rg_reader *reader, rg_wire message, uint64_t known, rg_bytes *out);

/* TensorProto. `out` is the caller's, cleared on failure; name (may be NULL) points into the file; extra (may be NULL)
 * are the fields that the tensor doesn't hold, with its name when `name` is NULL. */
rango_status rg_read_tensor(rg_reader *reader, rg_wire message, rango_tensor *out, rg_bytes *name, rg_bytes *extra);
/* SparseTensorProto as a dense tensor. */
rango_status rg_read_sparse(rg_reader *reader, rg_wire message, rango_tensor *out, rg_bytes *name);

/* The elements of a TensorProto that lie in a file of their own: fields external_data of `message`. */
rango_status rg_read_external(rg_reader *reader, rg_wire message, rango_type type, const rg_shape *shape, size_t bytes,
                              rango_tensor *out);
/* A tensor over elements in the buffer, used in place when they are aligned, otherwise copied. */
rango_status rg_reader_place(rg_reader *reader, rg_buffer *buffer, rg_bytes data, rango_type type,
                             const rg_shape *shape, rango_tensor *out);

/* TypeProto, with its raw bytes. */
rango_status rg_read_type(rg_reader *reader, const rg_field *field, rg_type_info *out);
/* AttributeProto, appended to the list at *list. `scope` is where the attribute's graphs find outer names. */
rango_status rg_read_attribute(rg_reader *reader, rg_scope *scope, rg_node *owner, const rg_field *field,
                               rg_attr **out);
rango_status rg_read_graph(rg_reader *reader, rg_wire message, rg_graph *graph, rg_scope *outer);
rango_status rg_read_function(rg_reader *reader, rg_wire message, rg_function *function);

/* Parts that graphs and functions share; `number` is the field that holds them. */
rango_status rg_read_define_nodes(rg_reader *reader, rg_scope *scope, rg_wire message, uint32_t number);
rango_status rg_read_connect_nodes(rg_reader *reader, rg_scope *scope, rg_wire message, uint32_t number);
/* ValueInfoProto of a value made already. One of a name that isn't there leaves *found false. */
rango_status rg_read_value_info(rg_reader *reader, rg_scope *scope, const rg_field *field, rg_value **found);
rango_status rg_scope_find(rg_reader *reader, const rg_scope *scope, rg_bytes name,
                           rg_value **out); /* NULL: not there */
rango_status rg_scope_define(rg_reader *reader, rg_scope *scope, rg_bytes name, rg_value **out, bool *fresh);
rango_status rg_read_opset(rg_reader *reader, const rg_field *field, rg_opset *out);
rango_status rg_read_property(rg_reader *reader, const rg_field *field, rg_property *out);

#endif
