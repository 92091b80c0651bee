/* What the figures rest on, and what nothing is known about. */
#include <math.h>

#include "report/report.h"

#define WIDTH_WANTED 0.1 /* points: how far a bound may lie from what was measured */

static void put_rows(rg_html *html, const rango_compress_summary *s) {
  rg_html_put(html, "<li>%lld calibration rows, without labels, fitted the factors.</li>\n<li>%lld %s ",
              (long long)s->calib_rows, (long long)s->rows,
              s->val_from_calib ? "further calibration rows, kept from the fit," : "validation rows");
  rg_html_put(html, "%s chose the operating point: %s from ", s->labels ? "with labels" : "without labels",
              rg_metric_name(s->metric));
  rg_report_metric(html, s->metric, s->metric_before);
  rg_html_put(html, " to ");
  rg_report_metric(html, s->metric, s->metric_after);
  rg_html_put(html, ".</li>\n");
}

/* The bound's distance from the measured value goes with one over the square root of the rows. */
static void put_bound(rg_html *html, const rango_compress_summary *s) {
  if (!isfinite(s->bound)) return;
  if (s->metric != RANGO_METRIC_TOP1) {
    rg_html_put(html, "<li>One-sided 95 %% bound of the change on rows like these: ");
    rg_html_number(html, s->bound, 4);
    rg_html_put(html, ".</li>\n");
    return;
  }
  double drop = s->metric_before - s->metric_after, width = s->bound - drop;
  rg_html_put(html, "<li>With 95 %% confidence the drop on rows like these is at most ");
  rg_html_number(html, s->bound, 2);
  rg_html_put(html, " points (measured: ");
  rg_html_number(html, drop, 2);
  rg_html_put(html, ").");
  if (width > WIDTH_WANTED) {
    double rows = (double)s->rows * (width / WIDTH_WANTED) * (width / WIDTH_WANTED);
    rg_html_put(html, " For a bound within 0.1 points of the measured drop about ");
    rg_html_count(html, (int64_t)rows);
    rg_html_put(html, " rows would be needed.");
  }
  rg_html_put(html, "</li>\n");
}

static void put_unchecked(rg_html *html, const rango_compress_summary *s) {
  if (!s->labels)
    rg_html_put(html,
                "<li>Whether answers are right: without labels the original’s own answers are the measure.</li>\n");
  rg_html_put(html,
              "<li>Data of another kind than the validation rows.</li>\n"
              "<li>Rows that no choice was made with: the validation rows chose among several networks, which flatters "
              "their figure a little. <code>rango eval</code> on a test set of its own tells.</li>\n");
  if (s->metric == RANGO_METRIC_TOP1 || s->metric == RANGO_METRIC_AGREEMENT)
    rg_html_put(html, "<li>Single classes: a drop may fall on few of them.</li>\n");
  if (isfinite(s->bound) && s->confidence == 0)
    rg_html_put(html, "<li>The limit was kept by the measured value; the bound may lie beyond it "
                      "(<code>--confidence 95</code> keeps it with the bound).</li>\n");
  rg_html_put(html,
              "<li>Time with other batch sizes, numbers of threads and machines: <code>rango bench</code>.</li>\n");
}

void rg_section_checks(rg_report *report) {
  const rango_compress_summary *s = &report->summary;
  rg_html *html = &report->html;
  rg_html_put(html, "<section id=\"checks\"><div class=\"two\"><div><h2>What was measured</h2>\n<ul>\n");
  put_rows(html, s);
  put_bound(html, s);
  if (s->ms_before > 0 && s->ms_after > 0)
    rg_html_put(html, "<li>Time at batch 1 on this machine: medians of interleaved rounds.</li>\n");
  rg_html_put(html, "</ul></div><div><h2>What was not checked</h2>\n<ul>\n");
  put_unchecked(html, s);
  rg_html_put(html, "</ul></div></div></section>\n");
}
