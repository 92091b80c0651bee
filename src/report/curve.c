/* The Pareto curve: what remains of the network against what it costs in accuracy. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "report/chart.h"
#include "report/report.h"

/* The search's points, and the original in front. */
typedef struct points {
  size_t count, measured;
  double *params, *macs, *metric, *damage; /* [count]; remaining percent */
  size_t chosen;                           /* count: none */
} points;

static rango_status collect(const rg_report *report, points *out) {
  const rango_curve_point *point;
  size_t count = 1;
  while (rango_compression_curve(report->result, count - 1)) count++;
  *out = (points){.count = count, .chosen = count, .measured = 1};
  RG_TRY(rg_alloc(4 * count * sizeof(double), RG_OUT(&out->params)));
  out->macs = out->params + count;
  out->metric = out->macs + count;
  out->damage = out->metric + count;
  out->params[0] = out->macs[0] = 100;
  out->metric[0] = report->summary.metric_before;
  out->damage[0] = NAN;
  for (size_t i = 1; i < count; i++) {
    point = rango_compression_curve(report->result, i - 1);
    out->params[i] = 100 * point->params;
    out->macs[i] = 100 * point->macs;
    out->metric[i] = point->metric;
    out->damage[i] = point->damage > 0 ? point->damage : NAN;
    out->measured += isfinite(point->metric);
    if (point->chosen) out->chosen = i;
  }
  return RANGO_OK;
}

static void range_of(const double *values, size_t count, double *low, double *high) {
  *low = INFINITY;
  *high = -INFINITY;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    *low = fmin(*low, values[i]);
    *high = fmax(*high, values[i]);
  }
}

static rg_chart make_chart(rg_report *report) {
  return (rg_chart){.html = &report->html,
                    .width = 5000,
                    .height = 3300,
                    .left = 620,
                    .right = 4900,
                    .top = 130,
                    .bottom = 2750,
                    .x = {0, 100, false, RG_TICKS_PERCENT}};
}

static void axis_names(rg_chart *chart, const char *x, const char *y) {
  rg_html_put(chart->html,
              "<text class=\"tm\" x=\"%d\" y=\"%d\">%s</text><text class=\"tm\" transform=\"rotate(-90) "
              "translate(-%d 110)\">%s</text>",
              (chart->left + chart->right) / 2, chart->height - 120, x, (chart->top + chart->bottom) / 2, y);
}

static void title_of(char *text, size_t bytes, const char *what, double left, const char *name, double value) {
  snprintf(text, bytes, "%.1f %% of the %s, %s %.4g", left, what, name, value);
}

/* One series: marks at measured points, a ring round the chosen one. */
static void draw_series(rg_chart *chart, const points *p, const double *x, const double *y, const char *what,
                        const char *name, rg_mark mark, const char *style, bool marks) {
  char text[160], hollow[32];
  snprintf(hollow, sizeof hollow, "%s hollow", style);
  rg_chart_line(chart, style, x, y, p->count);
  for (size_t i = 0; i < p->count; i++) {
    if (!isfinite(y[i]) || (!marks && i != p->chosen)) continue;
    title_of(text, sizeof text, what, x[i], name, y[i]);
    rg_chart_mark(chart, mark, i == p->chosen ? style : hollow, x[i], y[i], text);
  }
}

static void ring(rg_chart *chart, const points *p, const double *x, const double *y) {
  if (p->chosen == p->count || !isfinite(y[p->chosen])) return;
  rg_html_put(chart->html, "<circle class=\"ring\" cx=\"%d\" cy=\"%d\" r=\"85\"/>", rg_chart_x(chart, x[p->chosen]),
              rg_chart_y(chart, y[p->chosen]));
}

/* The value that the budget allows; NaN where it limits something else than the metric. */
static double limit_of(const rango_compress_summary *s) {
  switch (s->budget) {
  case RANGO_BUDGET_MAX_DROP:
    return s->metric_before - s->budget_value;
  case RANGO_BUDGET_MAX_ERROR_RATIO:
    return s->metric_before * s->budget_value;
  case RANGO_BUDGET_MIN_AGREEMENT:
  case RANGO_BUDGET_MAX_OUTPUT_ERROR:
    return s->budget_value;
  default:
    return NAN;
  }
}

/* Points far beyond the budget would press the others together: the axis ends where the limit lies in its middle. */
static void metric_axis(const points *p, const rango_compress_summary *s, rg_axis *axis) {
  double low, high, limit = limit_of(s);
  range_of(p->metric, p->count, &low, &high);
  if (isfinite(limit)) {
    double reach = 3 * fabs(limit - s->metric_before);
    low = fmax(fmin(low, limit), s->metric_before - reach);
    high = fmin(fmax(high, limit), s->metric_before + reach);
  }
  double margin = high > low ? 0.06 * (high - low) : 0.5;
  *axis = (rg_axis){low - margin, high + margin, false, RG_TICKS_NUMBER};
}

static void draw_metric(rg_report *report, const points *p) {
  const rango_compress_summary *s = &report->summary;
  rg_chart chart = make_chart(report);
  double limit = limit_of(s);
  metric_axis(p, s, &chart.y);
  rg_html_put(&report->html, "<figure>");
  rg_chart_begin(&chart, "chart");
  rg_html_put(&report->html, "%zu networks: %s against remaining parameters and MACs", p->measured,
              rg_metric_name(s->metric));
  rg_chart_frame(&chart);
  if (isfinite(limit)) {
    rg_chart_horizontal(&chart, "d dash", limit);
    rg_html_put(&report->html, "<text class=\"te d\" x=\"%d\" y=\"%d\">the budget</text>", chart.right,
                rg_chart_y(&chart, limit) - 45);
  }
  draw_series(&chart, p, p->params, p->metric, "parameters", rg_metric_name(s->metric), RG_MARK_CIRCLE, "a", true);
  draw_series(&chart, p, p->macs, p->metric, "MACs", rg_metric_name(s->metric), RG_MARK_SQUARE, "b", true);
  ring(&chart, p, p->params, p->metric);
  ring(&chart, p, p->macs, p->metric);
  axis_names(&chart, "remaining", rg_metric_name(s->metric));
  rg_chart_end(&chart);
  rg_html_put(&report->html, "<figcaption>Measured on %lld rows.</figcaption></figure>\n", (long long)s->rows);
}

static void draw_damage(rg_report *report, const points *p) {
  double low, high;
  rg_chart chart = make_chart(report);
  range_of(p->damage, p->count, &low, &high);
  if (!(high > 0)) return;
  chart.y = (rg_axis){fmax(pow(10, floor(log10(low))), 1e-8 * high), pow(10, ceil(log10(high))), true, RG_TICKS_NUMBER};
  rg_html_put(&report->html, "<figure>");
  rg_chart_begin(&chart, "chart");
  rg_html_put(&report->html, "Predicted squared relative error of the output against remaining parameters and MACs");
  rg_chart_frame(&chart);
  draw_series(&chart, p, p->params, p->damage, "parameters", "predicted error", RG_MARK_CIRCLE, "a", false);
  draw_series(&chart, p, p->macs, p->damage, "MACs", "predicted error", RG_MARK_SQUARE, "b", false);
  ring(&chart, p, p->params, p->damage);
  ring(&chart, p, p->macs, p->damage);
  axis_names(&chart, "remaining", "predicted error²");
  rg_chart_end(&chart);
  rg_html_put(&report->html,
              "<figcaption>Predicted from the calibration rows for the whole curve.</figcaption></figure>\n");
}

void rg_section_curve(rg_report *report) {
  rg_html *html = &report->html;
  points p = {0};
  if (!rango_compression_curve(report->result, 0)) return;
  if (collect(report, &p) != RANGO_OK) {
    html->status = RANGO_ERROR_MEMORY;
    return;
  }
  rg_html_put(html, "<section id=\"curve\"><h2>What could be had</h2>\n<p class=\"soft\">Every point is a network: the "
                    "least predicted error for its size. The ringed one was chosen.</p>\n<div class=\"keys\">");
  rg_chart_key(html, RG_MARK_CIRCLE, "a", "parameters");
  rg_chart_key(html, RG_MARK_SQUARE, "b", "MACs");
  rg_html_put(html, "</div>\n<div class=\"two\">\n");
  draw_metric(report, &p);
  draw_damage(report, &p);
  rg_html_put(html, "</div></section>\n");
  rg_free(p.params);
}
