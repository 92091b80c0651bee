/* Dimensions over depth: ambient, linear, intrinsic, and the rank that was chosen. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "report/chart.h"
#include "report/report.h"

typedef enum series { AMBIENT, PCA99, RANK, TWO_NN, INTRINSIC, SERIES } series;

static const struct {
  const char *name, *style, *hollow;
  rg_mark mark;
} kinds[SERIES] = {{"ambient", "e", "e hollow", RG_MARK_SQUARE},
                   {"99 % of the variance", "b", "b", RG_MARK_SQUARE},
                   {"chosen rank of the outputs", "c", "c", RG_MARK_DIAMOND},
                   {"TwoNN", "d", "d hollow", RG_MARK_TRIANGLE},
                   {"intrinsic dimension, with its 95 % interval", "a", "a", RG_MARK_CIRCLE}};

/* values [SERIES][count], of the data (where known) and every layer. */
static void fill(const rg_report *report, double *const *values) {
  for (size_t i = 0; i <= report->layer_count; i++) {
    const rg_report_layer *layer = i ? &report->layers[i - 1] : NULL;
    const rango_portrait *portrait = layer ? layer->portrait : report->data;
    for (int k = 0; k < SERIES; k++) values[k][i] = NAN;
    if (!portrait) continue;
    const rango_spectrum *s = &portrait->spectrum;
    values[AMBIENT][i] = s->dimension > 0 ? (double)s->dimension : NAN;
    values[PCA99][i] = s->pca99 > 0 ? (double)s->pca99 : NAN;
    values[TWO_NN][i] = s->two_nn;
    values[INTRINSIC][i] = s->intrinsic.value;
    if (layer && rg_report_output_rank(layer)) values[RANK][i] = rg_report_output_rank(layer);
  }
}

static double largest(double *const *values, size_t count) {
  double most = 1;
  for (int k = 0; k < SERIES; k++)
    for (size_t i = 0; i < count; i++)
      if (isfinite(values[k][i])) most = fmax(most, values[k][i]);
  return most;
}

static bool any(const double *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (isfinite(values[i])) return true;
  return false;
}

/* Numbers of the layers below the axis, as many as fit. */
static void number_layers(rg_chart *chart, size_t count) {
  size_t step = (count + 39) / 40;
  for (size_t i = 0; i < count; i += step) {
    rg_html_put(chart->html, "<text class=\"tx\" x=\"%d\" y=\"%d\">", rg_chart_x(chart, (double)i),
                chart->bottom + 150);
    rg_html_put(chart->html, i ? "%zu</text>" : "data</text>", i);
  }
}

static void draw_intervals(rg_report *report, rg_chart *chart) {
  for (size_t i = 0; i <= report->layer_count; i++) {
    const rango_portrait *portrait = i ? report->layers[i - 1].portrait : report->data;
    if (!portrait) continue;
    rg_chart_interval(chart, "a", (double)i, portrait->spectrum.intrinsic.low, portrait->spectrum.intrinsic.high);
  }
}

static void draw(rg_report *report, double *const *values, const double *places, size_t count) {
  char text[160];
  rg_chart chart = {.html = &report->html,
                    .width = 10000,
                    .height = 3400,
                    .left = 560,
                    .right = 9850,
                    .top = 100,
                    .bottom = 3050,
                    .x = {-0.4, (double)count - 0.6, false, RG_TICKS_NONE},
                    .y = {1, pow(10, ceil(log10(fmax(2, largest(values, count))))), true, RG_TICKS_NUMBER}};
  rg_chart_begin(&chart, "chart");
  rg_html_put(chart.html, "Ambient, linear and intrinsic dimension of the data and of %zu layers", count - 1);
  rg_chart_frame(&chart);
  number_layers(&chart, count);
  draw_intervals(report, &chart);
  for (int k = 0; k < SERIES; k++) {
    if (k != RANK) rg_chart_line(&chart, kinds[k].style, places, values[k], count);
    for (size_t i = 0; i < count; i++) {
      if (!isfinite(values[k][i])) continue;
      snprintf(text, sizeof text, i ? "layer %zu: %s %.4g" : "the data%.0zu: %s %.4g", i, kinds[k].name, values[k][i]);
      rg_chart_mark(&chart, kinds[k].mark, kinds[k].hollow, places[i], values[k][i], text);
    }
  }
  rg_chart_end(&chart);
}

void rg_section_depth(rg_report *report) {
  rg_html *html = &report->html;
  size_t count = report->layer_count + 1;
  double *memory = NULL, *values[SERIES];
  if (!report->data) return;
  if (rg_alloc((SERIES + 1) * count * sizeof *memory, RG_OUT(&memory)) != RANGO_OK) {
    html->status = RANGO_ERROR_MEMORY;
    return;
  }
  double *places = memory + SERIES * count;
  for (int k = 0; k < SERIES; k++) values[k] = memory + (size_t)k * count;
  for (size_t i = 0; i < count; i++) places[i] = (double)i;
  fill(report, values);
  rg_html_put(html,
              "<section id=\"depth\"><h2>Dimension over depth</h2>\n<p class=\"soft\">How many numbers a layer puts "
              "out, how many principal components hold 99 %% of their variance, and how many coordinates the "
              "data’s manifold has there.</p>\n<div class=\"keys\">");
  for (int k = 0; k < SERIES; k++)
    if (any(values[k], count)) rg_chart_key(html, kinds[k].mark, kinds[k].style, kinds[k].name);
  rg_html_put(html, "</div>\n");
  draw(report, values, places, count);
  rg_html_put(html, "</section>\n");
  rg_free(memory);
}
