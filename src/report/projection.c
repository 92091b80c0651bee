/* Samples in two coordinates, and how well a projection keeps them apart. */
#include <math.h>
#include <stdio.h>

#include "report/chart.h"
#include "report/report.h"

#define DOTS_MOST 4000

static rg_axis axis_of(const float *values, int64_t count) {
  double low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < count; i++) {
    low = fmin(low, values[2 * i]);
    high = fmax(high, values[2 * i]);
  }
  double margin = high > low ? 0.04 * (high - low) : 1;
  return (rg_axis){low - margin, high + margin, false, RG_TICKS_NUMBER};
}

/* Both axes on one scale, so that the picture has the samples' own shape, in a plot of this shape. */
static void equalise(rg_chart *chart) {
  double width = chart->right - chart->left, height = chart->bottom - chart->top;
  double scale = fmax((chart->x.high - chart->x.low) / width, (chart->y.high - chart->y.low) / height);
  double more_x = (scale * width - (chart->x.high - chart->x.low)) / 2;
  double more_y = (scale * height - (chart->y.high - chart->y.low)) / 2;
  chart->x.low -= more_x;
  chart->x.high += more_x;
  chart->y.low -= more_y;
  chart->y.high += more_y;
}

static void draw_plane(rg_report *report) {
  const rango_tensor *plane = rango_manifold_plane(report->manifold);
  const float *at = rango_tensor_data(plane);
  int64_t rows = rango_tensor_dims(plane)[0], shown = rows < DOTS_MOST ? rows : DOTS_MOST;
  rg_chart chart = {.html = &report->html,
                    .width = 5000,
                    .height = 4000,
                    .left = 500,
                    .right = 4950,
                    .top = 80,
                    .bottom = 3700,
                    .x = axis_of(at, rows),
                    .y = axis_of(at + 1, rows)};
  equalise(&chart);
  rg_chart_begin(&chart, "chart");
  rg_html_put(chart.html, "%lld samples by two coordinates", (long long)shown);
  rg_chart_frame(&chart);
  rg_html_put(chart.html, "<path class=\"dots a\" d=\"");
  for (int64_t i = 0; i < shown; i++) {
    const float *dot = at + 2 * (i * rows / shown);
    rg_html_put(chart.html, "M%d %dh0", rg_chart_x(&chart, dot[0]), rg_chart_y(&chart, dot[1]));
  }
  rg_html_put(chart.html, "\"/>");
  rg_chart_end(&chart);
}

static void draw_kappa(rg_report *report, const rango_projection *p) {
  double x[RANGO_KAPPAS], whitney[RANGO_KAPPAS], pca[RANGO_KAPPAS];
  size_t count = (size_t)p->profile_count;
  char text[120];
  rg_chart chart = {.html = &report->html,
                    .width = 5000,
                    .height = 3000,
                    .left = 450,
                    .right = 4950,
                    .top = 80,
                    .bottom = 2750,
                    .x = {0, (double)p->coordinates + 0.5, false, RG_TICKS_NUMBER},
                    .y = {0, 1, false, RG_TICKS_NUMBER}};
  for (size_t i = 0; i < count; i++) {
    x[i] = (double)p->profile[i].coordinates;
    whitney[i] = p->profile[i].whitney;
    pca[i] = p->profile[i].pca;
  }
  rg_chart_begin(&chart, "chart");
  rg_html_put(chart.html, "Shortest secant over %zu numbers of coordinates", count);
  rg_chart_frame(&chart);
  rg_chart_line(&chart, "a", x, whitney, count);
  rg_chart_line(&chart, "b", x, pca, count);
  for (size_t i = 0; i < count; i++) {
    snprintf(text, sizeof text, "%.0f coordinates, Whitney: %.3f", x[i], whitney[i]);
    rg_chart_mark(&chart, RG_MARK_CIRCLE, "a", x[i], whitney[i], text);
    snprintf(text, sizeof text, "%.0f coordinates, principal components: %.3f", x[i], pca[i]);
    rg_chart_mark(&chart, RG_MARK_SQUARE, "b", x[i], pca[i], text);
  }
  rg_chart_end(&chart);
}

static void put_quality(rg_html *html, const rango_projection *p) {
  rg_html_put(html, "<ul><li>Shortest secant: ");
  rg_html_number(html, p->kappa, 3);
  rg_html_put(html, " of its length kept.</li>\n<li>Variance held: ");
  rg_html_number(html, 100 * p->variance, 1);
  rg_html_put(html, " %%.</li>\n");
  if (isfinite(p->overlap)) {
    rg_html_put(html, "<li>Of the 10 nearest neighbours ");
    rg_html_number(html, 100 * p->overlap, 1);
    rg_html_put(html, " %% stay; trustworthiness ");
    rg_html_number(html, p->trustworthiness, 3);
    rg_html_put(html, ", continuity ");
    rg_html_number(html, p->continuity, 3);
    rg_html_put(html, ".</li>\n");
  }
  rg_html_put(html, "</ul>");
}

void rg_section_projection(rg_report *report) {
  rg_html *html = &report->html;
  const rango_projection *p = rango_manifold_projection(report->manifold);
  rg_html_put(html, "<section id=\"projection\"><h2>Projection</h2>\n<p class=\"soft\">");
  if (p && p->coordinates >= 2)
    rg_html_put(html, "The first two of %lld coordinates (%s).", (long long)p->coordinates,
                p->method == RANGO_PROJECT_WHITNEY ? "secant avoidance" : "principal components");
  else
    rg_html_put(html, "The samples by their first two principal components.");
  rg_html_put(html, "</p>\n<div class=\"two\"><figure>");
  draw_plane(report);
  rg_html_put(html, "</figure>\n<div>");
  if (p) {
    rg_html_put(html,
                "<p class=\"soft\">The share of its length that the shortest line between two samples keeps.</p>\n"
                "<div class=\"keys\">");
    rg_chart_key(html, RG_MARK_CIRCLE, "a", "Whitney: secant avoidance");
    rg_chart_key(html, RG_MARK_SQUARE, "b", "principal components");
    rg_html_put(html, "</div>\n<figure>");
    draw_kappa(report, p);
    rg_html_put(html, "</figure>\n");
    put_quality(html, p);
  }
  rg_html_put(html, "</div></div></section>\n");
}
