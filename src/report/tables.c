/* Tables of the layers, sorted by a click on a heading. */
#include <math.h>

#include "report/report.h"

/* `kinds`: a letter a column, t for text, n for numbers. */
static void begin_table(rg_html *html, const char *const *heads, const char *kinds) {
  rg_html_put(html, "<div class=\"wide\"><table>\n<thead><tr>");
  for (size_t i = 0; kinds[i]; i++)
    rg_html_put(html, "<th scope=\"col\" aria-sort=\"none\"%s><button type=\"button\">%s</button></th>",
                kinds[i] == 't' ? " class=\"t\"" : "", heads[i]);
  rg_html_put(html, "</tr></thead>\n<tbody>\n");
}

static void integer_cell(rg_html *html, int64_t value) {
  rg_html_put(html, "<td data-v=\"%lld\">", (long long)value);
  if (value < 0)
    rg_html_put(html, "–</td>");
  else
    rg_html_put(html, "%lld</td>", (long long)value);
}

static void count_cell(rg_html *html, int64_t value) {
  rg_html_put(html, "<td data-v=\"%lld\">", (long long)value);
  rg_html_count(html, value);
  rg_html_put(html, "</td>");
}

static void number_cell(rg_html *html, double value, int decimals) {
  rg_html_put(html, "<td data-v=\"%lld\">", (long long)rg_html_key(value));
  rg_html_number(html, value, decimals);
  rg_html_put(html, "</td>");
}

static void text_cell(rg_html *html, const char *text, bool name) {
  rg_html_put(html, name ? "<td class=\"t name\" title=\"" : "<td class=\"t");
  if (name) rg_html_text(html, text);
  rg_html_put(html, "\">");
  rg_html_text(html, text);
  rg_html_put(html, "</td>");
}

/* Percent of `before` that is gone; negative where there is more. */
static void cut_cell(rg_html *html, int64_t before, int64_t after, bool kept) {
  number_cell(html, kept || before <= 0 ? NAN : 100 * (1 - (double)after / (double)before), 1);
}

static void rank_cell(rg_html *html, const rango_compressed_layer *layer) {
  rg_html_put(html, "<td data-v=\"%d\">", layer->rank_count ? layer->ranks[layer->rank_count - 1] : -1);
  for (int i = 0; i < layer->rank_count; i++) rg_html_put(html, i ? ", %d" : "%d", layer->ranks[i]);
  rg_html_put(html, layer->rank_count ? "</td>" : "–</td>");
}

static void form_cell(rg_html *html, const rango_compressed_layer *layer) {
  rg_html_put(html, "<td class=\"t\">");
  rg_html_text(html, layer->form);
  rg_html_put(html, layer->slower ? " <span class=\"tag slow\">slower</span></td>" : "</td>");
}

static void dimension_cells(rg_html *html, const rango_portrait *portrait) {
  const rango_spectrum *s = portrait ? &portrait->spectrum : NULL;
  integer_cell(html, s ? s->pca99 : -1);
  number_cell(html, s ? s->intrinsic.value : NAN, 1);
}

static void layer_row(rg_html *html, const rango_compressed_layer *layer, size_t number) {
  rg_html_put(html, "<tr>");
  integer_cell(html, (int64_t)number);
  text_cell(html, layer->name, true);
  text_cell(html, layer->op, false);
  text_cell(html, layer->shape, false);
  form_cell(html, layer);
  rank_cell(html, layer);
  dimension_cells(html, layer->portrait);
  count_cell(html, layer->params_after);
  cut_cell(html, layer->params_before, layer->params_after, layer->kept_dense);
  count_cell(html, layer->macs_after);
  cut_cell(html, layer->macs_before, layer->macs_after, layer->kept_dense);
  number_cell(html, layer->ms_after, 3);
  number_cell(html, layer->kept_dense ? NAN : layer->error, 4);
  rg_html_put(html, "</tr>\n");
}

static void total_row(rg_html *html, const rango_compress_summary *s) {
  rg_html_put(html, "</tbody>\n<tfoot><tr><td></td><td class=\"t\" colspan=\"7\">the whole network</td><td>");
  rg_html_count(html, s->params_after);
  rg_html_put(html, "</td><td>");
  rg_html_number(html, s->params_before > 0 ? 100 * (1 - (double)s->params_after / (double)s->params_before) : NAN, 1);
  rg_html_put(html, "</td><td>");
  rg_html_count(html, s->macs_after);
  rg_html_put(html, "</td><td>");
  rg_html_number(html, s->macs_before > 0 ? 100 * (1 - (double)s->macs_after / (double)s->macs_before) : NAN, 1);
  rg_html_put(html, "</td><td></td><td></td></tr></tfoot></table></div>\n");
}

void rg_section_layers(rg_report *report) {
  static const char *const heads[] = {"#",        "layer",  "operator", "weight", "form",  "rank", "99 %",
                                      "<i>m</i>", "params", "off %",    "MACs",   "off %", "ms",   "error"};
  rg_html *html = &report->html;
  const rango_compressed_layer *layer;
  rg_html_put(html,
              "<section id=\"layers\" class=\"long\"><h2>Layer by layer</h2>\n<p class=\"soft\">Click a heading to "
              "sort. 99 %%: components that hold so much of the variance; <i>m</i>: intrinsic dimension. Milliseconds "
              "are the cost table’s at batch 1; error is the relative error of the layer’s output on "
              "calibration rows.</p>\n");
  begin_table(html, heads, "nttttnnnnnnnnn");
  for (size_t i = 0; (layer = rango_compression_layer(report->result, i)); i++) layer_row(html, layer, i + 1);
  total_row(html, &report->summary);
  rg_html_put(html, "</section>\n");
}

static void dimension_row(rg_html *html, const char *name, const char *op, const rango_spectrum *s, size_t number) {
  rg_html_put(html, "<tr>");
  integer_cell(html, (int64_t)number);
  text_cell(html, name, true);
  text_cell(html, op, false);
  integer_cell(html, s->rows);
  integer_cell(html, s->dimension);
  integer_cell(html, s->pca90);
  integer_cell(html, s->pca99);
  integer_cell(html, s->pca999);
  number_cell(html, s->two_nn, 1);
  number_cell(html, s->mle, 1);
  number_cell(html, s->intrinsic.value, 1);
  text_cell(html, isfinite(s->intrinsic.value) ? rango_estimator_name(s->estimator) : "", false);
  integer_cell(html, s->whitney_linear > 0 ? s->whitney_linear : -1);
  rg_html_put(html, "</tr>\n");
}

void rg_table_estimates(rg_report *report) {
  static const char *const heads[] = {"estimator", "dimension", "95 % from", "to"};
  rg_html *html = &report->html;
  const rango_spectrum *s = &report->data->spectrum;
  begin_table(html, heads, "tnnn");
  for (int i = 0; i < RANGO_ESTIMATORS; i++) {
    rg_html_put(html, "<tr>");
    text_cell(html, rg_estimator_title((rango_estimator)i), false);
    number_cell(html, s->estimates[i].value, 2);
    number_cell(html, s->estimates[i].low, 2);
    number_cell(html, s->estimates[i].high, 2);
    rg_html_put(html, "</tr>\n");
  }
  rg_html_put(html, "</tbody></table></div>\n");
}

void rg_section_dimensions(rg_report *report) {
  static const char *const heads[] = {"#",      "outputs of", "operator", "rows",     "ambient",   "90 %",       "99 %",
                                      "99.9 %", "TwoNN",      "MLE",      "<i>m</i>", "estimator", "2<i>m</i>+1"};
  rg_html *html = &report->html;
  rg_html_put(html,
              "<section id=\"layers\" class=\"long\"><h2>Layer by layer</h2>\n<p class=\"soft\">Click a heading to "
              "sort. 90 %%, 99 %%, 99.9 %%: principal components that hold so much of the variance. TwoNN, MLE: "
              "estimates of the intrinsic dimension; <i>m</i>: the one to trust, by its estimator. 2<i>m</i>+1: "
              "coordinates in which almost every linear projection tells all points apart (Whitney).</p>\n");
  begin_table(html, heads, "nttnnnnnnnntn");
  dimension_row(html, "(the data)", "", &report->data->spectrum, 0);
  for (size_t i = 0; i < report->layer_count; i++)
    dimension_row(html, report->layers[i].name, report->layers[i].op, &report->layers[i].portrait->spectrum, i + 1);
  rg_html_put(html, "</tbody></table></div></section>\n");
}

static const rango_left_alone *left_alone(const rg_report *report, size_t index) {
  return report->result ? rango_compression_left_alone(report->result, index)
                        : rango_spectra_left_alone(report->spectra, index);
}

void rg_section_left_alone(rg_report *report) {
  static const char *const heads[] = {"layer", "operator", "weight", "params", "why"};
  const rango_left_alone *item;
  rg_html *html = &report->html;
  if (!left_alone(report, 0)) return;
  rg_html_put(html,
              "<section id=\"left\" class=\"long\"><h2>Left alone</h2>\n<p class=\"soft\">Weights for which there "
              "is no smaller form: they stay as they are.</p>\n");
  begin_table(html, heads, "tttnt");
  for (size_t i = 0; (item = left_alone(report, i)); i++) {
    rg_html_put(html, "<tr>");
    text_cell(html, item->name, true);
    text_cell(html, item->op, false);
    text_cell(html, item->shape, false);
    count_cell(html, item->params);
    text_cell(html, item->reason, false);
    rg_html_put(html, "</tr>\n");
  }
  rg_html_put(html, "</tbody></table></div></section>\n");
}
