/* The ONNX wire format ⇄ graph. The only room that knows protobuf. rango_model_load and rango_model_save lie here. */
#ifndef RG_ONNX_ONNX_H
#define RG_ONNX_ONNX_H

#include "graph/graph.h"

#define RG_ONNX_MAX_NESTING 64

/* Reads a ModelProto from `file` (kept by the tensors whose raw data is used in place). `name` is for messages,
 * `folder` where external data lies (NULL: refused). `budget` bounds what is allocated beside the file. Checks made:
 * structure, sizes, UTF-8 of names, names defined before use (or in an outer scope), topological order (sorted if not),
 * opsets within RG_OPSET_MIN … RG_OPSET_MAX of the default domain. Not made: whether operators exist or shapes fit
 * (ops/). */
rango_status rg_onnx_read(rg_buffer *file, const char *name, const char *folder, uint64_t budget, rango_model **out);

/* Writes a model whole or not at all; refuses graphs with operators of RG_PRIVATE_DOMAIN. */
rango_status rg_onnx_write(const rango_model *model, const char *path);

/* A serialized TensorProto. */
rango_status rg_onnx_read_tensor(rg_buffer *file, const char *name, rango_tensor *out);

#endif
