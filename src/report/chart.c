/* Axes, lines and marks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/chart.h"

#define TICKS     5
#define MARK_SIZE 40

static double share(const rg_axis *axis, double value) {
  double low = axis->low, high = axis->high;
  if (axis->log) {
    value = log10(value > 0 ? value : low);
    low = log10(low);
    high = log10(high);
  }
  double at = high > low ? (value - low) / (high - low) : 0.5;
  return at < 0 ? 0 : at > 1 ? 1 : at;
}

int rg_chart_x(const rg_chart *chart, double x) {
  return chart->left + (int)lround(share(&chart->x, x) * (chart->right - chart->left));
}

int rg_chart_y(const rg_chart *chart, double y) {
  return chart->bottom - (int)lround(share(&chart->y, y) * (chart->bottom - chart->top));
}

void rg_chart_begin(rg_chart *chart, const char *style) {
  rg_html_put(chart->html, "<svg class=\"%s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", style, chart->width,
              chart->height);
}

void rg_chart_end(rg_chart *chart) { rg_html_put(chart->html, "</svg>\n"); }

/* ---- ticks ---- */

/* 1, 2 or 5 times a power of ten, so that about TICKS steps cover the axis. */
static double step_of(const rg_axis *axis) {
  double raw = (axis->high - axis->low) / TICKS, power = pow(10, floor(log10(raw))), lead = raw / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static void put_power(rg_html *html, int power) {
  static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  rg_html_put(html, "10%s", power < 0 ? "⁻" : "");
  if (abs(power) > 9) rg_html_put(html, "%s", digits[abs(power) / 10 % 10]);
  rg_html_put(html, "%s", digits[abs(power) % 10]);
}

static void put_value(rg_html *html, const rg_axis *axis, double value, double step) {
  if (axis->log && (value < 0.01 || value > 99999)) {
    put_power(html, (int)lround(log10(value)));
    return;
  }
  int decimals = axis->log ? (value < 1 ? (int)ceil(-log10(value)) : 0) : step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
  rg_html_number(html, value, decimals);
  if (axis->ticks == RG_TICKS_PERCENT) rg_html_put(html, " %%");
}

static void tick_x(rg_chart *chart, double value, double step) {
  int x = rg_chart_x(chart, value);
  rg_html_put(chart->html, "<path class=\"grid\" d=\"M%d %dV%d\"/><text class=\"tx\" x=\"%d\" y=\"%d\">", x, chart->top,
              chart->bottom, x, chart->bottom + 150);
  put_value(chart->html, &chart->x, value, step);
  rg_html_put(chart->html, "</text>");
}

static void tick_y(rg_chart *chart, double value, double step) {
  int y = rg_chart_y(chart, value);
  rg_html_put(chart->html, "<path class=\"grid\" d=\"M%d %dH%d\"/><text class=\"ty\" x=\"%d\" y=\"%d\">", chart->left,
              y, chart->right, chart->left - 50, y + 35);
  put_value(chart->html, &chart->y, value, step);
  rg_html_put(chart->html, "</text>");
}

static void ticks(rg_chart *chart, const rg_axis *axis, void (*draw)(rg_chart *chart, double value, double step)) {
  if (axis->ticks == RG_TICKS_NONE) return;
  if (axis->log) {
    int first = (int)ceil(log10(axis->low) - 1e-9), last = (int)floor(log10(axis->high) + 1e-9);
    int step = (last - first) / (TICKS + 1) + 1;
    for (int power = last; power >= first; power -= step) draw(chart, pow(10, power), 1);
    for (int i = 0; last - first < 2 && i < 2 * (last - first + 1); i++) { /* 2 and 5 between, where there is room */
      int power = first + i / 2;
      double value = (i % 2 ? 5 : 2) * pow(10, power);
      if (value <= axis->high) draw(chart, value, 1);
    }
    return;
  }
  if (!(axis->high > axis->low)) return;
  double step = step_of(axis);
  for (double i = ceil(axis->low / step - 1e-9); i * step <= axis->high + 1e-9 * step; i++) draw(chart, i * step, step);
}

void rg_chart_frame(rg_chart *chart) {
  rg_html_put(chart->html, "\">");
  ticks(chart, &chart->x, tick_x);
  ticks(chart, &chart->y, tick_y);
  rg_html_put(chart->html, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>", chart->left, chart->top, chart->bottom,
              chart->right);
}

/* ---- what is drawn ---- */

void rg_chart_line(rg_chart *chart, const char *style, const double *x, const double *y, size_t count) {
  bool drawn = false;
  rg_html_put(chart->html, "<path class=\"line %s\" d=\"", style);
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(y[i])) continue;
    rg_html_put(chart->html, "%s%d %d", drawn ? "L" : "M", rg_chart_x(chart, x[i]), rg_chart_y(chart, y[i]));
    drawn = true;
  }
  rg_html_put(chart->html, "\"/>");
}

void rg_chart_area(rg_chart *chart, const char *style, const double *x, const double *y, size_t count) {
  if (count == 0) return;
  rg_html_put(chart->html, "<path class=\"area %s\" d=\"M%d %d", style, rg_chart_x(chart, x[0]), chart->bottom);
  for (size_t i = 0; i < count; i++)
    rg_html_put(chart->html, "L%d %d", rg_chart_x(chart, x[i]), rg_chart_y(chart, y[i]));
  rg_html_put(chart->html, "V%dZ\"/>", chart->bottom);
}

void rg_chart_band(rg_chart *chart, const char *style, const double *x, const double *low, const double *high,
                   size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!isfinite(low[i]) || !isfinite(high[i])) return;
  if (count == 0) return;
  rg_html_put(chart->html, "<path class=\"area %s\" d=\"", style);
  for (size_t i = 0; i < count; i++)
    rg_html_put(chart->html, "%s%d %d", i ? "L" : "M", rg_chart_x(chart, x[i]), rg_chart_y(chart, low[i]));
  for (size_t i = count; i > 0; i--)
    rg_html_put(chart->html, "L%d %d", rg_chart_x(chart, x[i - 1]), rg_chart_y(chart, high[i - 1]));
  rg_html_put(chart->html, "Z\"/>");
}

void rg_chart_interval(rg_chart *chart, const char *style, double x, double low, double high) {
  if (!isfinite(low) || !isfinite(high)) return;
  int at = rg_chart_x(chart, x), bottom = rg_chart_y(chart, low), top = rg_chart_y(chart, high);
  rg_html_put(chart->html, "<path class=\"rule %s\" d=\"M%d %dV%dM%d %dh%dM%d %dh%d\"/>", style, at, bottom, top,
              at - MARK_SIZE, bottom, 2 * MARK_SIZE, at - MARK_SIZE, top, 2 * MARK_SIZE);
}

void rg_chart_vertical(rg_chart *chart, const char *style, double x) {
  rg_html_put(chart->html, "<path class=\"rule %s\" d=\"M%d %dV%d\"/>", style, rg_chart_x(chart, x), chart->top,
              chart->bottom);
}

void rg_chart_horizontal(rg_chart *chart, const char *style, double y) {
  rg_html_put(chart->html, "<path class=\"rule %s\" d=\"M%d %dH%d\"/>", style, chart->left, rg_chart_y(chart, y),
              chart->right);
}

static void put_shape(rg_html *html, rg_mark mark, const char *style, int x, int y, int r) {
  int wide = r * 5 / 4;
  switch (mark) {
  case RG_MARK_CIRCLE:
    rg_html_put(html, "<circle class=\"mark %s\" cx=\"%d\" cy=\"%d\" r=\"%d\">", style, x, y, r);
    return;
  case RG_MARK_SQUARE:
    rg_html_put(html, "<path class=\"mark %s\" d=\"M%d %dh%dv%dh%dz\">", style, x - r, y - r, 2 * r, 2 * r, -2 * r);
    return;
  case RG_MARK_DIAMOND:
    rg_html_put(html, "<path class=\"mark %s\" d=\"M%d %dl%d %dl%d %dl%d %dz\">", style, x, y - wide, wide, wide, -wide,
                wide, -wide, -wide);
    return;
  case RG_MARK_TRIANGLE:
    rg_html_put(html, "<path class=\"mark %s\" d=\"M%d %dl%d %dh%dz\">", style, x, y - wide, wide, 2 * r, -2 * wide);
    return;
  }
}

void rg_chart_mark(rg_chart *chart, rg_mark mark, const char *style, double x, double y, const char *title) {
  if (!isfinite(y)) return;
  put_shape(chart->html, mark, style, rg_chart_x(chart, x), rg_chart_y(chart, y), MARK_SIZE);
  rg_html_put(chart->html, "<title>");
  rg_html_text(chart->html, title);
  rg_html_put(chart->html, mark == RG_MARK_CIRCLE ? "</title></circle>" : "</title></path>");
}

void rg_chart_key(rg_html *html, rg_mark mark, const char *style, const char *text) {
  rg_html_put(html,
              "<span class=\"key\"><svg viewBox=\"0 0 240 120\" aria-hidden=\"true\"><path class=\"line %s\" "
              "d=\"M0 60H240\"/>",
              style);
  put_shape(html, mark, style, 120, 60, MARK_SIZE);
  rg_html_put(html, mark == RG_MARK_CIRCLE ? "</circle></svg>%s</span>" : "</path></svg>%s</span>", text);
}
