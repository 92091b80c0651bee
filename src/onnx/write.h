/* What the files of the writer share. */
#ifndef RG_ONNX_WRITE_H
#define RG_ONNX_WRITE_H

#include "onnx/onnx.h"
#include "onnx/put.h"

/* TensorProto under `field`. `name` NULL: it is in `extra`, or there is none. */
void rg_write_tensor(rg_put *put, uint32_t field, const rango_tensor *tensor, const char *name, rg_bytes extra);
void rg_write_graph(rg_put *put, uint32_t field, const rg_graph *graph);
void rg_write_nodes(rg_put *put, uint32_t field, const rg_graph *graph);
void rg_write_attribute(rg_put *put, uint32_t field, const rg_attr *attr);
void rg_write_value_info(rg_put *put, uint32_t field, const rg_value *value);
/* Declarations of the values that are neither input nor output. */
void rg_write_value_infos(rg_put *put, uint32_t field, const rg_graph *graph);
/* Whether the value is an initializer that the file needs. */
bool rg_write_wants_constant(const rg_value *value);

/* rg_onnx_write with another limit than protobuf's on the size of the model file. */
rango_status rg_onnx_write_limited(const rango_model *model, const char *path, uint64_t limit);

#endif
