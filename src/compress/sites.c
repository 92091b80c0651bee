/* Finding the layers that can be factored. */
#include <string.h>

#include "base/checked.h"
#include "compress/compress.h"

#define TABLE_ROWS_MIN 256                /* of an embedding: shorter ones have nothing to save */
#define GROUPED_MAX    (INT64_C(1) << 24) /* numbers of a grouped convolution's matrix, zeros included */

void rg_sites_free(rg_sites *sites) {
  for (size_t i = 0; i < sites->count; i++) {
    rg_free(sites->items[i].own_matrix);
    rg_free(sites->items[i].offset);
  }
  rg_free(sites->items);
  *sites = (rg_sites){0};
}

bool rg_site_is_large(const rg_site *site) { return (int64_t)site->weight->bytes >= RG_WEIGHT_LARGE; }

void rg_site_forget_pages(const rg_site *site) {
  if (rg_site_is_large(site)) rg_buffer_forget_pages(site->weight->buffer, site->weight->data, site->weight->bytes);
}

const rango_tensor *rg_own_weight(const rg_node *node, int input, int rank_low, int rank_high) {
  if (input >= node->input_count || !node->inputs[input]) return NULL;
  const rg_value *value = node->inputs[input];
  const rango_tensor *weight = rg_value_constant(value);
  if (!weight || weight->type != RANGO_FLOAT32 || value->uses.count != 1 || value->output_uses) return NULL;
  if (weight->shape.rank < rank_low || weight->shape.rank > rank_high) return NULL;
  return weight;
}

/* A bias of `outputs` numbers along the last axis: [n], [1, n], ... or one number for all. */
static bool is_bias(const rango_tensor *bias, int64_t outputs) {
  if (!bias || bias->type != RANGO_FLOAT32) return false;
  int64_t count;
  if (rg_shape_count(&bias->shape, &count) != RANGO_OK) return false;
  if (count == 1) return true;
  return count == outputs && bias->shape.rank > 0 && bias->shape.dims[bias->shape.rank - 1] == outputs;
}

static rango_status fill_offset(rg_site *site, float scale) {
  RG_TRY(rg_calloc((size_t)site->outputs, sizeof(float), RG_OUT(&site->offset)));
  if (!site->bias) return RANGO_OK;
  int64_t count;
  RG_TRY(rg_shape_count(&site->bias->shape, &count));
  const float *bias = site->bias->data;
  for (int64_t i = 0; i < site->outputs; i++) site->offset[i] = scale * bias[count == 1 ? 0 : i];
  return RANGO_OK;
}

/* weight [inputs][outputs], or [outputs][inputs] when `transposed`. */
static rango_status fill_matrix(rg_site *site, bool transposed, float scale) {
  const float *w = site->weight->data;
  site->matrix = w;
  if (transposed && scale == 1) return RANGO_OK;
  RG_TRY(rg_alloc((size_t)(site->inputs * site->outputs) * sizeof(float), RG_OUT(&site->own_matrix)));
  for (int64_t o = 0; o < site->outputs; o++)
    for (int64_t i = 0; i < site->inputs; i++)
      site->own_matrix[o * site->inputs + i] =
          scale * (transposed ? w[o * site->inputs + i] : w[i * site->outputs + o]);
  site->matrix = site->own_matrix;
  return RANGO_OK;
}

/* weight [outputs][channels of a group][kh][kw] to the im2col order of all channels. */
static rango_status fill_conv_matrix(rg_site *site) {
  const float *w = site->weight->data;
  int64_t each = site->outputs / site->groups, channels = site->channels / site->groups;
  site->matrix = w;
  if (site->inputs == channels) return RANGO_OK;
  RG_TRY(rg_calloc((size_t)(site->inputs * site->outputs), sizeof(float), RG_OUT(&site->own_matrix)));
  for (int64_t o = 0; o < site->outputs; o++)
    for (int64_t c = o / each * channels; c < (o / each + 1) * channels; c++)
      for (int64_t h = 0; h < site->kernel_h; h++)
        for (int64_t x = 0; x < site->kernel_w; x++)
          site->own_matrix[o * site->inputs + (x * site->kernel_h + h) * site->channels + c] = *w++;
  site->matrix = site->own_matrix;
  return RANGO_OK;
}

static rango_status read_gemm(const rg_node *node, rg_site *site, bool *found) {
  bool transposed = rg_node_int(node, "transB", 0) != 0;
  site->kind = RG_SITE_GEMM;
  site->weight = rg_own_weight(node, 1, 2, 2);
  if (!site->weight || rg_node_int(node, "transA", 0) || node->version < 7) return RANGO_OK;
  site->inputs = site->weight->shape.dims[transposed];
  site->outputs = site->weight->shape.dims[!transposed];
  if (node->input_count > 2 && node->inputs[2]) {
    site->bias = rg_value_constant(node->inputs[2]);
    if (!is_bias(site->bias, site->outputs)) return RANGO_OK;
  }
  *found = true;
  RG_TRY(fill_matrix(site, transposed, rg_node_float(node, "alpha", 1)));
  return fill_offset(site, rg_node_float(node, "beta", 1));
}

rg_node *rg_bias_add(const rg_node *matmul, int64_t outputs, const rango_tensor **bias) {
  const rg_value *product = matmul->outputs[0];
  if (!product || product->uses.count != 1 || product->output_uses) return NULL;
  rg_node *add = product->uses.items[0].node;
  if (!rg_node_is(add, "Add") || add->graph != matmul->graph || add->version < 7) return NULL;
  const rg_value *other = add->inputs[add->inputs[0] == product];
  *bias = other ? rg_value_constant(other) : NULL;
  /* A bias of more axes than the product would add axes to the result. */
  return is_bias(*bias, outputs) && (*bias)->shape.rank <= 1 ? add : NULL;
}

static rango_status read_matmul(const rg_node *node, rg_site *site, bool *found) {
  site->kind = RG_SITE_MATMUL;
  site->weight = rg_own_weight(node, 1, 2, 2);
  if (!site->weight) return RANGO_OK;
  site->inputs = site->weight->shape.dims[0];
  site->outputs = site->weight->shape.dims[1];
  rg_node *add = rg_bias_add(node, site->outputs, &site->bias);
  if (!add) site->bias = NULL;
  if (add) {
    site->add = add->id;
    site->output = add->outputs[0]->id;
    rg_node_move(add, node->next);
  }
  *found = true;
  RG_TRY(fill_matrix(site, false, 1));
  return fill_offset(site, 1);
}

/* Not depthwise convolutions, nor where the matrix with its zeros would be too large. */
static bool groups_are_factored(const rg_site *site) {
  int64_t numbers;
  return site->outputs >= 2 * site->groups && site->inputs >= 2 * site->groups &&
         rg_mul_i64(site->outputs, site->inputs, &numbers) && numbers <= GROUPED_MAX;
}

static rango_status read_conv(const rg_node *node, rg_site *site, bool *found) {
  site->kind = RG_SITE_CONV;
  site->weight = rg_own_weight(node, 1, 3, 4);
  if (!site->weight) return RANGO_OK;
  const int64_t *dims = site->weight->shape.dims;
  site->groups = rg_node_int(node, "group", 1);
  if (site->groups < 1 || dims[0] % site->groups) return RANGO_OK;
  site->spatial = site->weight->shape.rank - 2;
  site->outputs = dims[0];
  site->kernel_h = site->spatial == 2 ? dims[2] : 1;
  site->kernel_w = dims[site->spatial + 1];
  if (!rg_mul_i64(dims[1], site->groups, &site->channels) ||
      !rg_mul_i64(site->channels, site->kernel_h, &site->inputs) ||
      !rg_mul_i64(site->inputs, site->kernel_w, &site->inputs))
    return RANGO_OK;
  if (site->groups > 1 && !groups_are_factored(site)) return RANGO_OK;
  if (node->input_count > 2 && node->inputs[2]) {
    site->bias = rg_value_constant(node->inputs[2]);
    if (!is_bias(site->bias, site->outputs)) return RANGO_OK;
  }
  RG_TRY(rg_window_read(node, site->spatial, dims + 2, &site->window));
  *found = true;
  RG_TRY(fill_conv_matrix(site));
  return fill_offset(site, 1);
}

/* W [directions][gates * hidden][inputs], and a bias that can be corrected: constant, or none. */
static rango_status read_recurrent(const rg_node *node, rg_site *site, bool *found) {
  site->kind = RG_SITE_RECURRENT;
  site->weight = rg_own_weight(node, 1, 3, 3);
  if (!site->weight) return RANGO_OK;
  const int64_t *dims = site->weight->shape.dims;
  const rango_tensor *bias = node->input_count > 3 && node->inputs[3] ? rg_value_constant(node->inputs[3]) : NULL;
  site->outputs = dims[0] * dims[1];
  site->inputs = dims[2];
  site->biased = node->input_count > 3 && node->inputs[3];
  if (site->biased && (!bias || bias->type != RANGO_FLOAT32)) return RANGO_OK;
  for (int i = 0; i < node->output_count && !*found; i++) {
    if (!node->outputs[i]) continue;
    site->output = node->outputs[i]->id;
    if (!site->name) site->name = node->outputs[i]->name;
    *found = true;
  }
  if (!*found) return RANGO_OK;
  RG_TRY(fill_matrix(site, true, 1));
  return fill_offset(site, 1);
}

/* Rows of a table, read by indices that are computed or given. */
static rango_status read_embedding(const rg_node *node, rg_site *site, bool *found) {
  int64_t axis = rg_node_int(node, "axis", 0);
  site->kind = RG_SITE_EMBEDDING;
  site->weight = rg_own_weight(node, 0, 2, 2);
  if (!site->weight || (axis != 0 && axis != -2) || rg_value_constant(node->inputs[1])) return RANGO_OK;
  site->inputs = site->weight->shape.dims[0];
  site->outputs = site->weight->shape.dims[1];
  if (site->inputs < TABLE_ROWS_MIN || site->inputs < site->outputs) return RANGO_OK;
  site->input = node->inputs[1]->id;
  *found = true;
  RG_TRY(fill_matrix(site, false, 1));
  return fill_offset(site, 1);
}

static rango_status read_site(rg_node *node, rg_site *site, bool *found) {
  *site = (rg_site){.node = node->id, .add = -1, .skip = -1, .op = node->op, .groups = 1, .parts = 1};
  *found = false;
  if (node->input_count < 2 || node->output_count < 1 || !node->inputs[0]) return RANGO_OK;
  site->input = node->inputs[0]->id;
  if (node->name && node->name[0]) site->name = node->name;
  if (rg_node_is(node, "LSTM") || rg_node_is(node, "GRU") || rg_node_is(node, "RNN"))
    return rg_value_constant(node->inputs[0]) ? RANGO_OK : read_recurrent(node, site, found);
  if (!node->outputs[0]) return RANGO_OK;
  site->output = node->outputs[0]->id;
  if (!site->name) site->name = node->outputs[0]->name;
  if (rg_node_is(node, "Gather")) return node->inputs[1] ? read_embedding(node, site, found) : RANGO_OK;
  if (rg_value_constant(node->inputs[0])) return RANGO_OK;
  if (rg_node_is(node, "Gemm")) return read_gemm(node, site, found);
  if (rg_node_is(node, "MatMul")) return read_matmul(node, site, found);
  if (rg_node_is(node, "Conv")) return read_conv(node, site, found);
  return RANGO_OK;
}

int64_t rg_form_taps(const rg_site *site, rg_form form) {
  if (form == RG_FORM_SPATIAL) return site->kernel_w;
  return form == RG_FORM_POINTWISE || form == RG_FORM_TUCKER ? site->kernel_w * site->kernel_h : 1;
}

/* The place of a node in the main graph's order, or -1. */
static int place_of(const rango_model *model, const rg_node *wanted) {
  int place = 0;
  for (const rg_node *node = model->graph->first; node; node = node->next, place++)
    if (node == wanted) return place;
  return -1;
}

/* Where the output's only use is an Add of something computed before: a residual connection. */
static void find_skip(const rango_model *model, rg_site *site) {
  if (site->kind == RG_SITE_EMBEDDING || site->kind == RG_SITE_RECURRENT) return;
  const rg_value *output = rg_find_value(model->graph, site->output);
  if (!output || output->uses.count != 1 || output->output_uses) return;
  const rg_node *add = output->uses.items[0].node;
  if (!rg_node_is(add, "Add") || add->graph != model->graph) return;
  const rg_value *other = add->inputs[add->inputs[0] == output];
  if (!other || rg_value_constant(other) || !other->producer) return;
  int place = place_of(model, other->producer);
  if (place >= 0 && place < site->begin) site->skip = other->id;
}

static void find_parts(const rango_model *model, rg_site *site) {
  const rg_value *output = rg_find_value(model->graph, site->output);
  if (output && (site->kind == RG_SITE_GEMM || site->kind == RG_SITE_MATMUL))
    site->parts = rg_parts_of(output, site->outputs);
}

static void drop_site(rg_site *site) {
  rg_free(site->own_matrix);
  rg_free(site->offset);
}

rango_status rg_sites_find(rango_model *model, rg_sites *out) {
  *out = (rg_sites){0};
  rango_status status = RANGO_OK;
  for (rg_node *node = model->graph->first; node; node = node->next) {
    rg_site site;
    bool found;
    status = read_site(node, &site, &found);
    if (status == RANGO_OK && found && site.inputs >= 2 && site.outputs >= 2) {
      status = RG_RESERVE(out, 1);
      if (status == RANGO_OK) {
        site.index = (int)out->count;
        out->items[out->count++] = site;
        continue;
      }
    }
    drop_site(&site);
    if (status != RANGO_OK) break;
  }
  int place = 0;
  size_t next = 0;
  for (rg_node *node = model->graph->first; node && next < out->count && status == RANGO_OK;
       node = node->next, place++) {
    if (node->id != out->items[next].node) continue;
    out->items[next].begin = place;
    out->items[next].end = place + (out->items[next].add >= 0 ? 2 : 1);
    find_parts(model, &out->items[next]);
    find_skip(model, &out->items[next++]);
  }
  if (status != RANGO_OK) rg_sites_free(out);
  return status;
}
