/* Every layer's spectrum, as small charts on equal scales. */
#include <math.h>
#include <stdio.h>

#include "report/chart.h"
#include "report/report.h"

#define POINTS 72
#define FLOOR  1e-6

/* Shares at places that are even on a logarithmic scale: all of the first ones. Returns how many. */
static size_t thin_out(const rango_portrait *portrait, double *x, double *y) {
  size_t count = 0;
  double step = pow((double)portrait->share_count, 1.0 / POINTS), next = 1;
  for (size_t i = 1; i <= portrait->share_count && count < POINTS; i++) {
    if ((double)i < next && i < portrait->share_count) continue;
    x[count] = (double)i;
    y[count++] = fmax(portrait->shares[i - 1], FLOOR);
    while (next <= (double)i) next *= fmax(step, 1.02);
  }
  return count;
}

static void draw(rg_report *report, const rg_report_layer *layer, int width, int height) {
  double x[POINTS], y[POINTS];
  const rango_spectrum *s = &layer->portrait->spectrum;
  size_t count = thin_out(layer->portrait, x, y);
  double last = count ? x[count - 1] : 1;
  rg_chart chart = {.html = &report->html,
                    .width = width,
                    .height = height,
                    .left = 330,
                    .right = width - 80,
                    .top = 60,
                    .bottom = height - 250,
                    .x = {1, fmax(last, 2), true, RG_TICKS_NUMBER},
                    .y = {FLOOR, 1, true, RG_TICKS_NUMBER}};
  rg_chart_begin(&chart, "chart");
  rg_html_put(chart.html, "Spectrum of %s", layer->name ? "the outputs of " : "the data");
  rg_html_text(chart.html, layer->name);
  rg_html_put(chart.html, ": %lld of %lld components hold 99 %% of the variance", (long long)s->pca99,
              (long long)s->dimension);
  rg_chart_frame(&chart);
  rg_chart_area(&chart, "a", x, y, count);
  rg_chart_line(&chart, "a", x, y, count);
  if (s->pca99 > 0) rg_chart_vertical(&chart, "b dash", (double)s->pca99);
  if (s->whitney_linear > 0) rg_chart_vertical(&chart, "d dot", (double)s->whitney_linear);
  if (rg_report_output_rank(layer)) rg_chart_vertical(&chart, "c", rg_report_output_rank(layer));
  rg_chart_end(&chart);
}

static void caption(rg_report *report, const rg_report_layer *layer) {
  rg_html *html = &report->html;
  const rango_spectrum *s = &layer->portrait->spectrum;
  const rango_compressed_layer *c = layer->compressed;
  if (c && c->kept_dense) rg_html_put(html, "dense · ");
  if (c && !c->kept_dense) {
    rg_html_put(html, rg_report_output_rank(layer) ? "<span class=\"c\">rank " : "<span>");
    if (!rg_report_output_rank(layer)) rg_html_text(html, c->form);
    for (int i = 0; i < c->rank_count; i++) rg_html_put(html, i ? ", %d" : " %d", c->ranks[i]);
    rg_html_put(html, "</span> · ");
  }
  rg_html_put(html, "<span class=\"b\">99 %%: %lld</span>", (long long)s->pca99);
  if (s->whitney_linear > 0)
    rg_html_put(html, " · <span class=\"d\">2<i>m</i>+1: %lld</span>", (long long)s->whitney_linear);
  rg_html_put(html, " · of %lld", (long long)s->dimension);
}

static void figure(rg_report *report, const rg_report_layer *layer, size_t number) {
  rg_html *html = &report->html;
  if (!layer->portrait || layer->portrait->share_count == 0) return;
  rg_html_put(html, "<figure class=\"spectrum\"><b>");
  if (number) rg_html_put(html, "%zu ", number);
  rg_html_text(html, layer->name ? layer->name : "the data");
  rg_html_put(html, "</b>");
  draw(report, layer, 2600, 1500);
  rg_html_put(html, "<figcaption>");
  caption(report, layer);
  rg_html_put(html, "</figcaption></figure>\n");
}

void rg_section_spectra(rg_report *report) {
  rg_html *html = &report->html;
  rg_report_layer data = {.portrait = report->data};
  if (!report->data) return;
  rg_html_put(
      html,
      "<section id=\"spectra\" class=\"long\"><h2>Spectra</h2>\n<p class=\"soft\">Share of the variance of a "
      "layer’s outputs, by principal component; both scales are logarithmic. <span class=\"c\">Line: chosen "
      "rank of the outputs.</span> <span class=\"b\">Dashed: components that hold 99 %% of the variance.</span> <span "
      "class=\"d\">Dotted: 2<i>m</i>+1, the coordinates in which almost every linear projection tells all points of an "
      "<i>m</i>-dimensional manifold apart (Whitney).</span></p>\n<div class=\"many\">\n");
  figure(report, &data, 0);
  for (size_t i = 0; i < report->layer_count; i++) figure(report, &report->layers[i], i + 1);
  rg_html_put(html, "</div></section>\n");
}

void rg_section_spectrum(rg_report *report) {
  rg_html *html = &report->html;
  rg_report_layer data = {.portrait = report->data};
  if (report->data->share_count == 0) return;
  rg_html_put(html,
              "<section id=\"spectrum\"><h2>Spectrum</h2>\n<p class=\"soft\">Share of the variance, by principal "
              "component; both scales are logarithmic. <span class=\"b\">Dashed: components that hold 99 %% of the "
              "variance.</span> <span class=\"d\">Dotted: 2<i>m</i>+1, the coordinates in which almost every linear "
              "projection tells all points of an <i>m</i>-dimensional manifold apart (Whitney).</span></p>\n"
              "<figure class=\"spectrum\">");
  draw(report, &data, 10000, 3000);
  rg_html_put(html, "<figcaption>");
  caption(report, &data);
  rg_html_put(html, "</figcaption></figure></section>\n");
}
