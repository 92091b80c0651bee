/* A site's input as rows of a matrix: im2col at sampled positions, or rows of activations. */
#include <string.h>

#include "base/random.h"
#include "compress/compress.h"

int64_t rg_sample_count(const rg_sampling *sampling, int64_t available, int64_t batch_rows, int64_t total_rows) {
  double share = (double)sampling->wanted * (double)batch_rows / (double)total_rows;
  int64_t count = (int64_t)share + 1;
  return count < available ? count : available;
}

static rango_status measure_conv(rg_site *site, const rango_tensor *input, int64_t *available) {
  const int64_t *dims = input->shape.dims;
  RG_FAIL_IF(input->shape.rank != site->spatial + 2 || dims[1] != site->channels, RANGO_ERROR_INTERNAL,
             "node '%s' (%s): unexpected input shape", site->name, site->op);
  site->input_h = site->spatial == 2 ? dims[2] : 1;
  site->input_w = dims[site->spatial + 1];
  site->output_h = site->spatial == 2 ? rg_window_output(&site->window, 0, site->input_h) : 1;
  site->output_w = rg_window_output(&site->window, site->spatial - 1, site->input_w);
  RG_FAIL_IF(site->output_h < 0 || site->output_w < 0, RANGO_ERROR_INTERNAL, "node '%s' (%s): the window doesn't fit",
             site->name, site->op);
  *available = dims[0] * site->output_h * site->output_w;
  return RANGO_OK;
}

rango_status rg_site_measure(rg_site *site, const rango_tensor *input, int64_t batch_rows, int64_t *available) {
  if (site->kind == RG_SITE_EMBEDDING) {
    RG_TRY(rg_embedding_indices(site, input, available));
    site->positions = *available / batch_rows;
    return RANGO_OK;
  }
  RG_FAIL_IF(input->type != RANGO_FLOAT32, RANGO_ERROR_INTERNAL, "node '%s' (%s): unexpected input type", site->name,
             site->op);
  if (site->kind == RG_SITE_CONV) {
    RG_TRY(measure_conv(site, input, available));
  } else {
    int rank = input->shape.rank;
    RG_FAIL_IF(rank < 1 || input->shape.dims[rank - 1] != site->inputs, RANGO_ERROR_INTERNAL,
               "node '%s' (%s): unexpected input shape", site->name, site->op);
    *available = 1;
    for (int i = 0; i < rank - 1; i++) *available *= input->shape.dims[i];
  }
  site->positions = *available / batch_rows;
  return RANGO_OK;
}

/* One im2col row: [kernel w][kernel h][channel]. */
static void gather_patch(const rg_site *site, const float *image, int64_t oh, int64_t ow, float *row) {
  const rg_window *window = &site->window;
  bool two = site->spatial == 2;
  int64_t plane = site->input_h * site->input_w;
  int64_t h0 = two ? oh * window->stride[0] - window->pad_begin[0] : 0, dh = two ? window->dilation[0] : 1;
  int last = site->spatial - 1;
  int64_t w0 = ow * window->stride[last] - window->pad_begin[last], dw = window->dilation[last];
  for (int64_t x = 0; x < site->kernel_w; x++) {
    int64_t w = w0 + x * dw;
    for (int64_t y = 0; y < site->kernel_h; y++, row += site->channels) {
      int64_t h = h0 + y * dh;
      bool inside = w >= 0 && w < site->input_w && h >= 0 && h < site->input_h;
      const float *from = image + h * site->input_w + w;
      for (int64_t c = 0; c < site->channels; c++) row[c] = inside ? from[c * plane] : 0.0f;
    }
  }
}

static void gather_position(const rg_site *site, const float *data, int64_t position, float *row) {
  if (site->kind != RG_SITE_CONV) {
    memcpy(row, data + position * site->inputs, (size_t)site->inputs * sizeof *row);
    return;
  }
  int64_t area = site->output_h * site->output_w, image = position / area, place = position % area;
  const float *from = data + image * site->channels * site->input_h * site->input_w;
  gather_patch(site, from, place / site->output_w, place % site->output_w, row);
}

/* Draws each position with the chance that leaves exactly `count` of `available` (Knuth's algorithm S). */
void rg_sample_positions(const rg_sampling *sampling, const rg_site *site, int64_t batch, int64_t available,
                         int64_t count, int64_t *positions) {
  rg_random random;
  rg_random_seed(&random,
                 sampling->seed + UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(batch + 1) + (uint64_t)site->index);
  int64_t left = count;
  for (int64_t position = 0; position < available && left > 0; position++) {
    if (left < available - position && rg_random_below(&random, (uint64_t)(available - position)) >= (uint64_t)left)
      continue;
    *positions++ = position;
    left--;
  }
}

static rango_status check_layout(const rg_site *site, const rango_tensor *tensor) {
  RG_FAIL_IF(tensor->layout != RG_ROW_MAJOR || tensor->type != RANGO_FLOAT32, RANGO_ERROR_INTERNAL,
             "node '%s' (%s): unexpected type or layout", site->name, site->op);
  return RANGO_OK;
}

rango_status rg_site_gather(const rg_site *site, const rango_tensor *input, const int64_t *positions, int64_t count,
                            float *rows) {
  RG_TRY(check_layout(site, input));
  for (int64_t i = 0; i < count; i++)
    gather_position(site, input->data, positions ? positions[i] : i, rows + i * site->inputs);
  return RANGO_OK;
}

rango_status rg_site_gather_output(const rg_site *site, const rango_tensor *output, const int64_t *positions,
                                   int64_t count, float *rows) {
  int64_t n = site->outputs, area = site->kind == RG_SITE_CONV ? site->output_h * site->output_w : 1;
  RG_TRY(check_layout(site, output));
  for (int64_t i = 0; i < count; i++) {
    int64_t image = positions[i] / area, place = positions[i] % area;
    const float *from = (const float *)output->data + image * n * area + place;
    for (int64_t j = 0; j < n; j++) rows[i * n + j] = from[j * area];
  }
  return RANGO_OK;
}
