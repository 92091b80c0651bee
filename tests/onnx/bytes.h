/* Protocol buffers made by hand: what the reader's tests feed it. */
#ifndef TESTS_ONNX_BYTES_H
#define TESTS_ONNX_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

typedef struct bytes {
  size_t count;
  uint8_t data[1 << 18];
} bytes;

static inline void add(bytes *to, const void *data, size_t count) {
  assert(count <= sizeof to->data - to->count);
  memcpy(to->data + to->count, data, count);
  to->count += count;
}

static inline void add_varint(bytes *to, uint64_t value) {
  for (; value > 0x7f; value >>= 7) add(to, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
  add(to, &(uint8_t){(uint8_t)value}, 1);
}

static inline void add_int(bytes *to, uint32_t field, int64_t value) {
  add_varint(to, field << 3);
  add_varint(to, (uint64_t)value);
}

static inline void add_data(bytes *to, uint32_t field, const void *data, size_t count) {
  add_varint(to, field << 3 | 2);
  add_varint(to, count);
  add(to, data, count);
}

static inline void add_text(bytes *to, uint32_t field, const char *text) { add_data(to, field, text, strlen(text)); }
static inline void add_message(bytes *to, uint32_t field, const bytes *inner) {
  add_data(to, field, inner->data, inner->count);
}

/* A ValueInfoProto of that name alone. */
static inline void add_named(bytes *to, uint32_t field, const char *name) {
  static bytes info;
  info.count = 0;
  add_text(&info, 1, name);
  add_message(to, field, &info);
}

/* A node with up to one attribute message. NULL: none. */
static inline void add_node(bytes *graph, const char *op, const char *input, const char *output,
                            const bytes *attribute) {
  static bytes node;
  node.count = 0;
  if (input) add_text(&node, 1, input);
  if (output) add_text(&node, 2, output);
  add_text(&node, 3, "node1");
  add_text(&node, 4, op);
  if (attribute) add_message(&node, 5, attribute);
  add_message(graph, 1, &node);
}

/* An initializer of `rank` axes with raw data. */
static inline void add_initializer(bytes *graph, const char *name, int type, int rank, const int64_t *dims,
                                   const void *data, size_t count) {
  static bytes tensor;
  tensor.count = 0;
  for (int i = 0; i < rank; i++) add_int(&tensor, 1, dims[i]);
  add_int(&tensor, 2, type);
  add_text(&tensor, 8, name);
  add_data(&tensor, 9, data, count);
  add_message(graph, 5, &tensor);
}

/* IR version 8, opset 18, and the graph. */
static inline void make_model(bytes *model, const bytes *graph) {
  static bytes opset;
  opset.count = model->count = 0;
  add_int(model, 1, 8);
  add_int(&opset, 2, 18);
  add_message(model, 8, &opset);
  add_message(model, 7, graph);
}

#endif
