/* What samples are: the page's first row of figures. */
#include <math.h>

#include "report/report.h"

static void dimension_card(rg_html *html, const rango_spectrum *s) {
  rg_card_begin(html, "Intrinsic dimension <i>m</i>");
  rg_html_number(html, s->intrinsic.value, 1);
  rg_html_put(html, "</div><div class=\"change\">");
  if (isfinite(s->intrinsic.value)) {
    rg_html_number(html, s->intrinsic.low, 1);
    rg_html_put(html, " to ");
    rg_html_number(html, s->intrinsic.high, 1);
    rg_html_put(html, " (95 %%), %s", rg_estimator_title(s->estimator));
  } else {
    rg_html_put(html, "too few samples that differ");
  }
  rg_html_put(html, "</div>");
  rg_card_end(html, NAN);
}

static void count_card(rg_html *html, const char *what, int64_t count, const char *of, double share) {
  rg_card_begin(html, what);
  rg_html_put(html, count > 0 ? "%lld" : "–", (long long)count);
  rg_html_put(html, "</div><div class=\"change\">%s</div>", of);
  rg_card_end(html, share);
}

void rg_section_samples(rg_report *report) {
  const rango_spectrum *s = &report->data->spectrum;
  rg_html *html = &report->html;
  double width = (double)(s->dimension > 0 ? s->dimension : 1);
  rg_html_put(html, "<div class=\"cards\" id=\"samples\">\n");
  count_card(html, "Samples", s->rows, "looked at", NAN);
  count_card(html, "Ambient dimension", s->dimension, "numbers a sample", NAN);
  count_card(html, "Linear dimension", s->pca99, "principal components hold 99 % of the variance",
             (double)s->pca99 / width);
  dimension_card(html, s);
  count_card(html, "Whitney", s->whitney_linear, "2<i>m</i>+1 coordinates tell all points apart", NAN);
  rg_html_put(html, "</div>\n");
}
