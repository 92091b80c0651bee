/* Writing protocol buffers in two rounds over the same code: the first counts (file NULL) and notes how long each
 * nested message is, the second writes. Nothing is held but those lengths. Errors stick in `status`. */
#ifndef RG_ONNX_PUT_H
#define RG_ONNX_PUT_H

#include "base/file.h"
#include "graph/graph.h"

typedef struct rg_put {
  rg_file_writer *file; /* NULL: counting */
  uint64_t position;    /* bytes so far; when writing, the place in the file */
  struct {
    uint64_t *items;
    size_t count, capacity;
  } lengths; /* of nested messages, in the order of their beginnings */
  size_t next;
  bool external; /* tensors of some size go to the data file */
  rg_file_writer *data;
  const char *data_name;
  uint64_t data_position;
  rango_status status;
} rg_put;

typedef struct rg_put_mark {
  size_t index;
  uint64_t start;
} rg_put_mark;

void rg_put_int(rg_put *put, uint32_t field, int64_t value);
void rg_put_float(rg_put *put, uint32_t field, float value);
void rg_put_bytes(rg_put *put, uint32_t field, const void *data, size_t bytes);
void rg_put_text(rg_put *put, uint32_t field, const char *text); /* NULL or "": nothing */
void rg_put_name(rg_put *put, uint32_t field, const char *text); /* "" too */
void rg_put_raw(rg_put *put, rg_bytes fields);                   /* whole fields as they were read */
void rg_put_head(rg_put *put, uint32_t field, uint64_t bytes);   /* tag and length of bytes that follow */
void rg_put_content(rg_put *put, const void *data, size_t bytes);
size_t rg_put_head_bytes(uint32_t field, uint64_t bytes); /* what rg_put_head writes */
rg_put_mark rg_put_begin(rg_put *put, uint32_t field);
void rg_put_end(rg_put *put, rg_put_mark mark);
void rg_put_fail(rg_put *put, rango_status status); /* keeps the first */

#endif
