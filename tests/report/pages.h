/* A compression made by hand, with names that would like to be markup. */
#ifndef TESTS_REPORT_PAGES_H
#define TESTS_REPORT_PAGES_H

#include <math.h>

#include "compress/result.h"

#define HOSTILE_NAME "<script>document.title='broken'</script>\"'&\xff\xc0\x80\x01"

static const float page_kernel[] = {-1, 0, 0.5f, 1}, page_field[] = {0, 1, 4, 9, 16, 25};
static const double page_shares[] = {0.75, 0.2, 0.05, 0};

static const rango_excitation page_samples[] = {
    {.row = 12, .value = 3.25, .top = 1, .left = 0, .height = 1, .width = 2, .picture = {1, 2, 3, page_field}},
    {.row = 7, .value = -1.5, .picture = {1, 2, 3, page_field}},
};
static const rango_excitation page_curves[] = {{.row = 3, .value = 2, .picture = {1, 1, 6, page_field}}};
static const rango_direction page_directions[] = {
    {.share = 0.75, .picture = {1, 2, 2, page_kernel}, .samples = page_samples, .sample_count = 2},
    {.share = 0.2, .picture = {1, 2, 2, page_kernel}, .samples = page_samples, .sample_count = 1},
};
static const rango_direction page_curve_direction[] = {
    {.share = 0.5, .picture = {1, 1, 4, page_kernel}, .samples = page_curves, .sample_count = 1}};

static const rango_portrait page_portrait = {.spectrum = {.struct_size = sizeof(rango_spectrum),
                                                          .rows = 100,
                                                          .dimension = 4,
                                                          .pca90 = 2,
                                                          .pca99 = 3,
                                                          .pca999 = 3,
                                                          .two_nn = 1.4,
                                                          .mle = 1.3,
                                                          .whitney = 4,
                                                          .whitney_linear = 5,
                                                          .intrinsic = {1.9, 1.7, 2.2},
                                                          .estimator = RANGO_ESTIMATOR_LOCAL_PCA},
                                             .shares = page_shares,
                                             .share_count = 4,
                                             .directions = page_directions,
                                             .direction_count = 2};

static rango_left_alone page_left[] = {
    {.name = "lstm" HOSTILE_NAME, .op = "LSTM", .shape = "[1, 32, 8]", .params = 256, .reason = "recurrent weights"}};

/* Layers: a pair, a slower spatial one, a dense one without a portrait. */
static inline void page_fill(rango_compression *result, rango_compressed_layer *layers, rango_curve_point *curve) {
  layers[0] = (rango_compressed_layer){.name = HOSTILE_NAME,
                                       .op = "Conv",
                                       .rows_in = 9,
                                       .columns_out = 4,
                                       .shape = "[4, 1, 3, 3]",
                                       .form = "pair",
                                       .ranks = {2},
                                       .rank_count = 1,
                                       .params_before = 1000000,
                                       .params_after = 250000,
                                       .macs_before = 9000,
                                       .macs_after = 4000,
                                       .error = 0.125,
                                       .ms_before = 2,
                                       .ms_after = 0.5,
                                       .portrait = &page_portrait};
  layers[1] = layers[0];
  layers[1].name = "second";
  layers[1].form = "spatial";
  layers[1].ranks[0] = 8;
  layers[1].params_after = 500000;
  layers[1].ms_after = 3;
  layers[1].slower = true;
  layers[2] = layers[0];
  layers[2].name = "third";
  layers[2].form = "dense";
  layers[2].rank_count = 0;
  layers[2].kept_dense = true;
  layers[2].portrait = NULL;
  for (int i = 0; i < 6; i++)
    curve[i] = (rango_curve_point){.params = 0.9 - 0.15 * i,
                                   .macs = 0.95 - 0.1 * i,
                                   .damage = pow(10, i - 6),
                                   .metric = i % 2 ? 98.5 - 0.1 * i : NAN,
                                   .bound = NAN,
                                   .chosen = i == 3};
  *result = (rango_compression){.layers = layers, .layer_count = 3, .curve = curve, .curve_count = 6};
  result->left_alone = (rg_left_alone){.items = page_left, .count = 1};
  result->summary = (rango_compress_summary){.struct_size = sizeof result->summary,
                                             .metric = RANGO_METRIC_TOP1,
                                             .metric_before = 98.5,
                                             .metric_after = 98.2,
                                             .bound = 0.7,
                                             .rows = 2048,
                                             .params_before = 2000000,
                                             .params_after = 500000,
                                             .macs_before = 1200,
                                             .macs_after = 600,
                                             .ms_before = 3,
                                             .ms_after = 1.2,
                                             .seconds = 12.34,
                                             .layers = 3,
                                             .layers_compressed = 2,
                                             .calib_rows = 1024,
                                             .labels = true,
                                             .budget = RANGO_BUDGET_MAX_DROP,
                                             .budget_value = 0.5};
  result->portraits.layers = (rango_portrait *)&page_portrait;
  result->portraits.data = page_portrait;
  result->portraits.data.directions = page_curve_direction;
  result->portraits.data.direction_count = 1;
}

static inline rango_status page_write(const char *path) {
  rango_compression result;
  rango_compressed_layer layers[3];
  rango_curve_point curve[6];
  rango_report_options options = {.struct_size = sizeof options,
                                  .command = "rango compress '<b>x' -o \"y\"",
                                  .bytes_before = 4000,
                                  .bytes_after = 999};
  page_fill(&result, layers, curve);
  return rango_compression_write_report(&result, path, &options);
}

#endif
