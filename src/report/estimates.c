/* Intrinsic dimension by estimator, from all samples and from fewer of them. */
#include <math.h>
#include <stdio.h>

#include "report/chart.h"
#include "report/report.h"

const char *rg_estimator_title(rango_estimator estimator) {
  static const char *const titles[RANGO_ESTIMATORS] = {"TwoNN",   "MLE",       "correlation", "angles",
                                                       "nearest", "local PCA", "combined"};
  return titles[estimator];
}

static bool is_trusted(const rango_spectrum *s, int estimator) {
  return isfinite(s->intrinsic.value) && (int)s->estimator == estimator;
}

/* The largest number that charts of the estimates show. */
static double largest(const rango_spectrum *s) {
  double most = 1;
  for (int i = 0; i < s->decimations; i++)
    for (int e = 0; e < RANGO_ESTIMATORS; e++) {
      const rango_estimate *estimate = &s->decimation[i].estimates[e];
      most = fmax(most, isfinite(estimate->high) ? estimate->high : isfinite(estimate->value) ? estimate->value : 0);
    }
  return 1.05 * most;
}

static void draw_estimates(rg_report *report, const rango_spectrum *s) {
  rg_chart chart = {.html = &report->html,
                    .width = 5000,
                    .height = 2900,
                    .left = 450,
                    .right = 4950,
                    .top = 80,
                    .bottom = 2550,
                    .x = {-0.6, RANGO_ESTIMATORS - 0.4, false, RG_TICKS_NONE},
                    .y = {0, largest(s), false, RG_TICKS_NUMBER}};
  char text[120];
  rg_chart_begin(&chart, "chart");
  rg_html_put(chart.html, "Intrinsic dimension by %d estimators, with 95 %% intervals", RANGO_ESTIMATORS);
  rg_chart_frame(&chart);
  for (int e = 0; e < RANGO_ESTIMATORS; e++) {
    const rango_estimate *estimate = &s->estimates[e];
    const char *title = rg_estimator_title((rango_estimator)e);
    rg_html_put(chart.html, "<text class=\"tm%s\" x=\"%d\" y=\"%d\">%s</text>", is_trusted(s, e) ? " name" : "",
                rg_chart_x(&chart, e), chart.bottom + 200, title);
    rg_chart_interval(&chart, is_trusted(s, e) ? "a" : "e", e, estimate->low, estimate->high);
    snprintf(text, sizeof text, "%s %.4g", title, estimate->value);
    rg_chart_mark(&chart, RG_MARK_CIRCLE, is_trusted(s, e) ? "a" : "e hollow", e, estimate->value, text);
  }
  rg_chart_end(&chart);
}

void rg_section_estimates(rg_report *report) {
  rg_html *html = &report->html;
  const rango_spectrum *s = &report->data->spectrum;
  if (s->decimations == 0) return;
  rg_html_put(
      html, "<section id=\"estimates\"><h2>Intrinsic dimension by estimator</h2>\n<p class=\"soft\">In how many "
            "directions one can go from a sample without leaving the manifold. <span class=\"a\">The filled one is to "
            "trust:</span> local PCA where neighbourhoods show a clear gap between the directions along and across, "
            "otherwise distances and angles combined or, where neighbourhoods are curved, nearest neighbours alone. "
            "Intervals hold sampling noise, not bias.</p>\n<div class=\"two\"><figure>");
  draw_estimates(report, s);
  rg_html_put(html, "</figure>\n<div>");
  rg_table_estimates(report);
  rg_html_put(html, "</div></div></section>\n");
}

/* ---- from fewer samples ---- */

static void draw_decimation(rg_report *report, const rango_spectrum *s, int estimator) {
  double x[RANGO_DECIMATIONS], value[RANGO_DECIMATIONS], low[RANGO_DECIMATIONS], high[RANGO_DECIMATIONS];
  size_t count = 0;
  for (int i = 0; i < s->decimations; i++) {
    const rango_estimate *estimate = &s->decimation[i].estimates[estimator];
    if (!isfinite(estimate->value)) continue;
    x[count] = (double)s->decimation[i].rows;
    value[count] = estimate->value;
    low[count] = estimate->low;
    high[count++] = estimate->high;
  }
  rg_chart chart = {.html = &report->html,
                    .width = 2600,
                    .height = 1600,
                    .left = 330,
                    .right = 2520,
                    .top = 60,
                    .bottom = 1350,
                    .x = {(double)s->decimation[s->decimations - 1].rows / 1.2, 1.2 * (double)s->decimation[0].rows,
                          true, RG_TICKS_NONE},
                    .y = {0, largest(s), false, RG_TICKS_NUMBER}};
  const char *style = is_trusted(s, estimator) ? "a" : "e";
  char text[120];
  rg_chart_begin(&chart, "chart");
  rg_html_put(chart.html, "%s from %zu numbers of samples, with 95 %% intervals",
              rg_estimator_title((rango_estimator)estimator), count);
  rg_chart_frame(&chart);
  for (int i = 0; i < s->decimations; i++)
    rg_html_put(chart.html, "<text class=\"tx\" x=\"%d\" y=\"%d\">%lld</text>",
                rg_chart_x(&chart, (double)s->decimation[i].rows), chart.bottom + 150,
                (long long)s->decimation[i].rows);
  rg_chart_band(&chart, style, x, low, high, count);
  rg_chart_line(&chart, style, x, value, count);
  for (size_t i = 0; i < count; i++) {
    snprintf(text, sizeof text, "%.0f samples: %.4g (%.4g to %.4g)", x[i], value[i], low[i], high[i]);
    rg_chart_mark(&chart, RG_MARK_CIRCLE, style, x[i], value[i], text);
  }
  rg_chart_end(&chart);
}

void rg_section_decimation(rg_report *report) {
  rg_html *html = &report->html;
  const rango_spectrum *s = &report->data->spectrum;
  if (s->decimations < 2) return;
  rg_html_put(html,
              "<section id=\"decimation\" class=\"long\"><h2>Estimates from fewer samples</h2>\n<p "
              "class=\"soft\">Means over disjoint blocks of half, a quarter ... of the samples, with 95 %% "
              "intervals. Where a curve is level, the scale of the neighbourhoods does not matter; where it falls "
              "towards few samples, more of them would raise it further.</p>\n<div class=\"many\">\n");
  for (int e = 0; e < RANGO_ESTIMATORS; e++) {
    rg_html_put(html, "<figure class=\"decimation\"><b>%s</b>", rg_estimator_title((rango_estimator)e));
    draw_decimation(report, s, e);
    rg_html_put(html, "</figure>\n");
  }
  rg_html_put(html, "</div></section>\n");
}
