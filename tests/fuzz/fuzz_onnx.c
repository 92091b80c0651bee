/* libFuzzer: bytes as a model. What can be read is resolved, inferred, written and read again. */
#include "onnx/onnx.h"
#include "ops/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY_LIMIT ((uint64_t)16 << 20)

/* Bounded as fuzzing needs it: inference may fail, but must not crash or hang. */
static void infer(rango_model *model) {
  rg_facts *facts = NULL;
  if (model->node_count > 1000 || rg_ops_resolve(model, false) != RANGO_OK) return;
  if (rg_facts_create(model, NULL, 0, NULL, 0, &facts) == RANGO_OK) rg_facts_free(facts);
}

/* A model that was read can be written, and what was written can be read. */
static void write_and_read(const rango_model *model, const rango_load_options *options) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/rango-fuzz-%ld.onnx", (long)getpid());
  rango_model *again = NULL;
  if (rango_model_save(model, path) != RANGO_OK || rango_model_load(path, options, &again) != RANGO_OK) {
    fprintf(stderr, "%s\n", rango_error_message());
    abort();
  }
  rango_model_free(again);
  unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  rango_model *model = NULL;
  rango_load_options options = {.struct_size = sizeof options, .max_memory_bytes = MEMORY_LIMIT};
  if (rango_model_load_memory(data, bytes, &options, &model) != RANGO_OK) return 0;
  rango_load_options wider = {.struct_size = sizeof wider, .max_memory_bytes = 4 * MEMORY_LIMIT};
  write_and_read(model, &wider);
  infer(model);
  rango_model_free(model);
  return 0;
}
