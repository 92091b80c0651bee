/* From a node to the family that prepares it, and what families share. */
#include <string.h>

#include "base/checked.h"
#include "gpu/families.h"
#include "gpu/weights.h"

static const rg_gpu_family *const families[] = {
#define RG_GPU_LIST(family) &rg_gpu_family_##family,
    RG_GPU_FAMILIES(RG_GPU_LIST)
#undef RG_GPU_LIST
        NULL};

static const rg_gpu_operator *find(const rg_node *node) {
  for (size_t f = 0; families[f]; f++)
    for (size_t i = 0; i < families[f]->count; i++) {
      const rg_gpu_operator *entry = &families[f]->operators[i];
      if (strcmp(entry->op, node->op) == 0 && strcmp(entry->domain, node->domain) == 0) return entry;
    }
  return NULL;
}

/* What fits into a binding, as every shader wants it. */
static bool fits(const rg_gpu_prepare *prepare, const rg_fact *fact) {
  uint32_t count;
  return !fact || (fact->kind == RG_KIND_TENSOR && fact->type != RANGO_STRING && rg_gpu_count(fact, &count) &&
                   rg_gpu_bytes(prepare, fact->type, count) <= prepare->device->info.binding_bytes);
}

rango_status rg_gpu_prepare_node(rg_gpu_prepare *prepare) {
  const rg_gpu_operator *entry = find(prepare->node);
  bool possible = entry != NULL;
  for (int i = 0; possible && i < prepare->input_count; i++) possible = fits(prepare, prepare->inputs[i]);
  for (int i = 0; possible && i < prepare->output_count; i++) possible = fits(prepare, prepare->outputs[i]);
  return possible ? entry->prepare(prepare) : RANGO_OK;
}

/* ---- tasks ---- */

#define UNITS_USUAL 16

int64_t rg_gpu_units(const rg_gpu_prepare *prepare) {
  const uint32_t units = prepare->device->info.units;
  return units ? units : UNITS_USUAL;
}

rg_gpu_task *rg_gpu_add(rg_gpu_prepare *prepare, int shader) {
  rg_gpu_task *task = &prepare->tasks[prepare->task_count++];
  *task = (rg_gpu_task){.shader = shader, .groups = {1, 1, 1}};
  return task;
}

bool rg_gpu_groups(const rg_gpu_prepare *prepare, rg_gpu_task *task, int64_t count, int64_t threads) {
  const uint32_t *most = prepare->device->info.group_count;
  const int64_t groups = (count + threads - 1) / threads, limit = most[0] < 65535 ? most[0] : 65535;
  const int64_t rows = groups > limit ? (groups + limit - 1) / limit : 1;
  if (rows > most[1]) return false;
  task->groups[1] = (uint32_t)rows;
  task->groups[0] = groups > 0 ? (uint32_t)((groups + rows - 1) / rows) : 1;
  task->groups[2] = 1;
  return true;
}

rg_gpu_operand rg_gpu_in(int index) { return (rg_gpu_operand){.kind = RG_GPU_INPUT, .index = index}; }
rg_gpu_operand rg_gpu_out(int index) {
  return (rg_gpu_operand){.kind = RG_GPU_OUTPUT, .index = index, .written = true};
}

rg_gpu_operand rg_gpu_scratch(rg_gpu_prepare *prepare, size_t bytes, bool written) {
  rg_gpu_operand operand = {
      .kind = RG_GPU_SCRATCH, .offset = prepare->scratch_bytes, .bytes = bytes, .written = written};
  prepare->scratch_bytes += rg_round_up(bytes, RG_GPU_ALIGNMENT);
  return operand;
}

/* ---- facts ---- */

bool rg_gpu_count(const rg_fact *fact, uint32_t *out) {
  int64_t count = 1;
  for (int i = 0; i < fact->rank; i++)
    if (!rg_mul_i64(count, fact->dims[i], &count)) return false;
  if (count > INT32_MAX) return false;
  *out = (uint32_t)count;
  return true;
}

bool rg_gpu_is_float(const rg_fact *fact) {
  return fact && fact->kind == RG_KIND_TENSOR && fact->type == RANGO_FLOAT32;
}

size_t rg_gpu_bytes(const rg_gpu_prepare *prepare, rango_type type, int64_t count) {
  size_t bits = prepare->half && type == RANGO_FLOAT32 ? 16 : rango_type_bits(type);
  return ((size_t)count * bits + 7) / 8;
}

/* ---- constants ---- */

static rango_status check_room(const rg_gpu_prepare *prepare) {
  RG_FAIL_IF(prepare->held_count == (int)(sizeof prepare->held / sizeof *prepare->held), RANGO_ERROR_INTERNAL,
             "%s: too many weights", rg_node_text(prepare->node));
  return RANGO_OK;
}

static void hold(rg_gpu_prepare *prepare, rg_gpu_weight *weight, rg_gpu_operand *out) {
  prepare->held[prepare->held_count++] = weight;
  *out = (rg_gpu_operand){.kind = RG_GPU_WEIGHT, .weight = weight};
}

rango_status rg_gpu_weight_get(rg_gpu_prepare *prepare, const rango_tensor *weight, const char *key, size_t bytes,
                               rg_gpu_pack pack, const void *argument, rg_gpu_operand *out) {
  rg_gpu_weight *made;
  RG_TRY(check_room(prepare));
  RG_TRY(rg_gpu_weights_get(prepare->weights, weight, key, bytes, pack, argument, &made));
  hold(prepare, made, out);
  return RANGO_OK;
}

rango_status rg_gpu_weight_make(rg_gpu_prepare *prepare, const rango_tensor *weight, const char *key, size_t bytes,
                                const rg_gpu_task *task, rg_gpu_operand *out) {
  rg_gpu_weight *made;
  RG_TRY(check_room(prepare));
  RG_TRY(rg_gpu_weights_make(prepare->weights, weight, key, bytes, task, &made));
  hold(prepare, made, out);
  return RANGO_OK;
}

static rango_status pack_plain(void *to, const rango_tensor *weight, const void *argument) {
  memcpy(to, weight->data, weight->bytes);
  return RANGO_OK;
}

static rango_status pack_half(void *to, const rango_tensor *weight, const void *argument) {
  uint16_t *half = to;
  for (size_t i = 0; i < weight->bytes / sizeof(float); i++) {
    float value; /* the file may hold weights at any address */
    memcpy(&value, (const char *)weight->data + i * sizeof value, sizeof value);
    half[i] = rg_float_to_half(value);
  }
  return RANGO_OK;
}

rango_status rg_gpu_operand_of(rg_gpu_prepare *prepare, int input, rg_gpu_operand *out) {
  const rango_tensor *constant = prepare->inputs[input]->constant;
  if (!constant) {
    *out = rg_gpu_in(input);
    return RANGO_OK;
  }
  const bool half = prepare->half && constant->type == RANGO_FLOAT32;
  return rg_gpu_weight_get(prepare, constant, half ? "half" : "plain", half ? constant->bytes / 2 : constant->bytes,
                           half ? pack_half : pack_plain, NULL, out);
}
