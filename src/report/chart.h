/* Charts as SVG. Places are whole numbers, tenths of a pixel at full size, so that no locale's decimal point gets in.
 */
#ifndef RG_REPORT_CHART_H
#define RG_REPORT_CHART_H

#include "report/html.h"

typedef enum rg_ticks { RG_TICKS_NUMBER, RG_TICKS_PERCENT, RG_TICKS_NONE } rg_ticks;

typedef struct rg_axis {
  double low, high;
  bool log;
  rg_ticks ticks;
} rg_axis;

typedef struct rg_chart {
  rg_html *html;
  int width, height;            /* of the whole */
  int left, right, top, bottom; /* of the plot in it */
  rg_axis x, y;
} rg_chart;

/* Begins <svg ... aria-label="; the caller writes the label, then calls rg_chart_frame. */
void rg_chart_begin(rg_chart *chart, const char *style);
/* Ends the label and draws grid and ticks. */
void rg_chart_frame(rg_chart *chart);
void rg_chart_end(rg_chart *chart);

int rg_chart_x(const rg_chart *chart, double x); /* held within the plot */
int rg_chart_y(const rg_chart *chart, double y);
/* Through the points whose y is finite; `style` is a class. */
void rg_chart_line(rg_chart *chart, const char *style, const double *x, const double *y, size_t count);
/* The same, filled down to the plot's floor. */
void rg_chart_area(rg_chart *chart, const char *style, const double *x, const double *y, size_t count);
/* Between the points (x, low) and (x, high). Nothing where any isn't finite. */
void rg_chart_band(rg_chart *chart, const char *style, const double *x, const double *low, const double *high,
                   size_t count);
/* A whisker from `low` to `high`. */
void rg_chart_interval(rg_chart *chart, const char *style, double x, double low, double high);
void rg_chart_vertical(rg_chart *chart, const char *style, double x);
void rg_chart_horizontal(rg_chart *chart, const char *style, double y);

typedef enum rg_mark { RG_MARK_CIRCLE, RG_MARK_SQUARE, RG_MARK_DIAMOND, RG_MARK_TRIANGLE } rg_mark;
/* A point with what a pointer over it shows, our own words. */
void rg_chart_mark(rg_chart *chart, rg_mark mark, const char *style, double x, double y, const char *title);
/* An entry of a legend in HTML. */
void rg_chart_key(rg_html *html, rg_mark mark, const char *style, const char *text);

#endif
