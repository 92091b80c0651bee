/* Before and after, and what was measured to say so. */
#include <math.h>
#include <stdio.h>

#include "report/report.h"

const char *rg_metric_name(rango_metric metric) {
  static const char *const names[] = {"top-1 accuracy", "relative error", "agreement with the original",
                                      "error to the original’s outputs"};
  return names[metric];
}

static bool is_percent(rango_metric metric) { return metric == RANGO_METRIC_TOP1 || metric == RANGO_METRIC_AGREEMENT; }

void rg_report_metric(rg_html *html, rango_metric metric, double value) {
  rg_html_number(html, value, is_percent(metric) ? 2 : 4);
  if (is_percent(metric) && isfinite(value)) rg_html_put(html, " %%");
}

static void put_milliseconds(rg_html *html, double ms) {
  rg_html_number(html, ms, ms < 1 ? 3 : ms < 100 ? 2 : 0);
  rg_html_put(html, " ms");
}

static void put_bytes(rg_html *html, int64_t bytes) {
  rg_html_count(html, bytes);
  rg_html_put(html, bytes < 1000 ? " B" : "B");
}

/* ---- cards ---- */

void rg_card_begin(rg_html *html, const char *what) {
  rg_html_put(html, "<div class=\"card\"><div class=\"what\">%s</div><div class=\"big\">", what);
}

void rg_card_end(rg_html *html, double left) {
  if (isfinite(left))
    rg_html_put(html, "<div class=\"bar\"><i style=\"width:%d%%\"></i></div>", (int)lround(100 * fmin(1, left)));
  rg_html_put(html, "</div>\n");
}

static void count_card(rg_html *html, const char *what, int64_t before, int64_t after,
                       void (*put)(rg_html *html, int64_t count)) {
  if (before <= 0 || after < 0) return;
  double left = (double)after / (double)before;
  rg_card_begin(html, what);
  rg_html_number(html, 100 * (left - 1), 1);
  rg_html_put(html, " %%</div><div class=\"change\">");
  put(html, before);
  rg_html_put(html, " → ");
  put(html, after);
  rg_html_put(html, "</div>");
  rg_card_end(html, left);
}

static void time_card(rg_html *html, const rango_compress_summary *s) {
  if (!(s->ms_before > 0) || !(s->ms_after > 0)) return;
  rg_card_begin(html, "Time at batch 1");
  rg_html_number(html, s->ms_before / s->ms_after, 2);
  rg_html_put(html, " ×</div><div class=\"change\">");
  put_milliseconds(html, s->ms_before);
  rg_html_put(html, " → ");
  put_milliseconds(html, s->ms_after);
  rg_html_put(html, "</div>");
  rg_card_end(html, s->ms_after / s->ms_before);
}

static void metric_card(rg_html *html, const rango_compress_summary *s) {
  static const char *const titles[] = {"Top-1 accuracy", "Relative error", "Agreement", "Output error"};
  rg_card_begin(html, titles[s->metric]);
  rg_report_metric(html, s->metric, s->metric_after);
  rg_html_put(html, "</div><div class=\"change\">");
  if (s->labels) {
    rg_html_put(html, "before: ");
    rg_report_metric(html, s->metric, s->metric_before);
  } else {
    rg_html_put(html, "on %lld rows", (long long)s->rows);
  }
  rg_html_put(html, "</div>");
  rg_card_end(html, NAN);
}

/* ---- the sentence on top ---- */

static void put_budget(rg_html *html, const rango_compress_summary *s) {
  static const char *const texts[] = {"at most %s points of top-1 lost",
                                      "an error at most %s times the original’s",
                                      "at least %s %% agreement with the original",
                                      "an output error of at most %s",
                                      "%s %% of the parameters off",
                                      "%s %% of the MACs off"};
  char number[32];
  int length = snprintf(number, sizeof number, "%.6g", s->budget_value);
  for (int i = 0; i < length; i++)
    if (number[i] == ',') number[i] = '.';
  rg_html_put(html, texts[s->budget], number);
}

static void put_lead(rg_report *report) {
  static const char *const objectives[] = {"parameters and MACs alike", "parameters", "MACs", "time"};
  const rango_compress_summary *s = &report->summary;
  rg_html *html = &report->html;
  rg_html_put(html, "<p class=\"lead\">%d of %d layers are factored. Asked for: ", s->layers_compressed, s->layers);
  put_budget(html, s);
  if (s->confidence) rg_html_put(html, " with %d %% confidence", s->confidence);
  if (s->budget < RANGO_BUDGET_CUT_PARAMS) rg_html_put(html, ", spent on %s", objectives[s->objective]);
  rg_html_put(html, ". Found in ");
  rg_html_number(html, s->seconds, s->seconds < 10 ? 1 : 0);
  rg_html_put(html, " s.</p>\n");
}

void rg_section_gains(rg_report *report) {
  const rango_compress_summary *s = &report->summary;
  rg_html *html = &report->html;
  put_lead(report);
  rg_html_put(html, "<div class=\"cards\" id=\"gains\">\n");
  count_card(html, "Parameters", s->params_before, s->params_after, rg_html_count);
  count_card(html, "Multiply-accumulates", s->macs_before, s->macs_after, rg_html_count);
  if (report->options.bytes_before > 0)
    count_card(html, "File", report->options.bytes_before, report->options.bytes_after, put_bytes);
  time_card(html, s);
  metric_card(html, s);
  rg_html_put(html, "</div>\n");
}
