/* Leading directions as pictures, with the samples that excite them most. */
#include <math.h>
#include <stdio.h>

#include "report/report.h"

#define DEEP_LAYERS     16 /* shown of those that don't read the data themselves */
#define DEEP_DIRECTIONS 2

typedef enum layer_kind { WITHOUT_PICTURES, SAMPLES_ONLY, READS_DATA } layer_kind;

static layer_kind kind_of(const rango_portrait *portrait) {
  if (!portrait || portrait->direction_count == 0) return WITHOUT_PICTURES;
  const rango_direction *first = &portrait->directions[0];
  if (first->picture.values) return READS_DATA;
  return first->sample_count && first->samples[0].picture.values ? SAMPLES_ONLY : WITHOUT_PICTURES;
}

/* ---- one picture ---- */

/* A row of numbers as a curve between its least and largest; weights have their zero in the middle. */
static void put_curve(rg_html *html, const rango_picture *picture, rg_tone tone) {
  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < picture->width; i++) {
    low = fmin(low, picture->values[i]);
    high = fmax(high, picture->values[i]);
  }
  if (tone == RG_TONE_WEIGHTS) {
    high = fmax(fabs(low), fabs(high));
    low = -high;
  }
  rg_html_put(html, "<path class=\"line %s\" style=\"stroke-width:22\" d=\"", tone == RG_TONE_WEIGHTS ? "c" : "a");
  for (int i = 0; i < picture->width; i++) {
    double height = high > low ? (picture->values[i] - low) / (high - low) : 0.5;
    rg_html_put(html, "%s%d %d", i ? "L" : "M", 30 + 940 * i / (picture->width > 1 ? picture->width - 1 : 1),
                930 - (int)lround(860 * height));
  }
  rg_html_put(html, "\"/>");
}

static void put_weights(rg_html *html, const rango_picture *picture, size_t number) {
  if (picture->height == 1) {
    rg_html_put(html, "<svg class=\"curve\" viewBox=\"0 0 1000 1000\" role=\"img\" aria-label=\"direction %zu\">",
                number);
    put_curve(html, picture, RG_TONE_WEIGHTS);
    rg_html_put(html, "</svg>");
    return;
  }
  rg_html_put(html, "<img alt=\"direction %zu\" src=\"", number);
  rg_html_png(html, picture, RG_TONE_WEIGHTS);
  rg_html_put(html, "\">");
}

/* ---- the samples, each written once ---- */

static void define(rg_html *html, const rango_excitation *sample) {
  const rango_picture *picture = &sample->picture;
  rg_html_put(html, "<g id=\"row%lld\">", (long long)sample->row);
  if (picture->height == 1) {
    put_curve(html, picture, RG_TONE_SAMPLE);
  } else {
    rg_html_put(html, "<image width=\"%d\" height=\"%d\" preserveAspectRatio=\"none\" href=\"", 100 * picture->width,
                100 * picture->height);
    rg_html_png(html, picture, RG_TONE_SAMPLE);
    rg_html_put(html, "\"/>");
  }
  rg_html_put(html, "</g>\n");
}

/* Whether direction `d` of portrait `p` (0: the data's) is shown. */
static bool is_shown(const rg_report *report, size_t p, size_t d) {
  const rango_portrait *portrait = p ? report->layers[p - 1].portrait : report->data;
  layer_kind kind = kind_of(portrait);
  if (kind == WITHOUT_PICTURES || d >= portrait->direction_count) return false;
  if (kind == READS_DATA) return true;
  size_t step = (report->layer_count + DEEP_LAYERS - 1) / DEEP_LAYERS;
  return d < DEEP_DIRECTIONS && p % step == 0;
}

static const rango_portrait *portrait_of(const rg_report *report, size_t p) {
  return p ? report->layers[p - 1].portrait : report->data;
}

/* Whether a sample before this one, among those shown, is of the same row. */
static bool is_defined(const rg_report *report, size_t p, size_t d, size_t i) {
  int64_t row = portrait_of(report, p)->directions[d].samples[i].row;
  for (size_t q = 0; q <= p; q++)
    for (size_t e = 0; is_shown(report, q, e) && (q < p || e <= d); e++) {
      const rango_direction *direction = &portrait_of(report, q)->directions[e];
      for (size_t j = 0; j < direction->sample_count && (q < p || e < d || j < i); j++)
        if (direction->samples[j].row == row) return true;
    }
  return false;
}

static void define_samples(rg_report *report) {
  rg_html_put(&report->html, "<svg class=\"defs\" aria-hidden=\"true\"><defs>\n");
  for (size_t p = 0; p <= report->layer_count; p++)
    for (size_t d = 0; is_shown(report, p, d); d++) {
      const rango_direction *direction = &portrait_of(report, p)->directions[d];
      for (size_t i = 0; i < direction->sample_count; i++)
        if (!is_defined(report, p, d, i)) define(&report->html, &direction->samples[i]);
    }
  rg_html_put(&report->html, "</defs></svg>\n");
}

static void put_frame(rg_html *html, const rango_excitation *sample) {
  bool curve = sample->picture.height == 1;
  if (!sample->width || !sample->height) return;
  int x = sample->left * 100, y = sample->top * 100, width = sample->width * 100, height = sample->height * 100;
  if (curve) {
    x = 30 + 940 * sample->left / sample->picture.width;
    width = 940 * sample->width / sample->picture.width;
    y = 20;
    height = 960;
  }
  int thick = curve ? 20 : 4 * (sample->picture.width + sample->picture.height) / 2;
  for (int i = 0; i < 2; i++)
    rg_html_put(html,
                "<rect class=\"frame%s\" style=\"stroke-width:%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
                i ? "" : "2", i ? thick : 2 * thick, x, y, width, height);
}

static void put_sample(rg_html *html, const rango_excitation *sample) {
  const rango_picture *picture = &sample->picture;
  bool curve = picture->height == 1;
  rg_html_put(html,
              "<figure><svg%s viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"row %lld\"><use href=\"#row%lld\"/>",
              curve ? " class=\"curve\"" : "", curve ? 1000 : 100 * picture->width,
              curve ? 1000 : 100 * picture->height, (long long)sample->row, (long long)sample->row);
  put_frame(html, sample);
  rg_html_put(html, "</svg><figcaption><span title=\"row %lld\">", (long long)sample->row);
  if (sample->value > 0) rg_html_put(html, "+");
  rg_html_number(html, sample->value, 1);
  rg_html_put(html, " σ</span></figcaption></figure>");
}

/* ---- sections ---- */

static void put_direction(rg_html *html, const rango_direction *direction, size_t number) {
  rg_html_put(html, "<div class=\"dir\"><figure class=\"pat\">");
  if (direction->picture.values) put_weights(html, &direction->picture, number);
  rg_html_put(html, "<figcaption>%zu: ", number);
  rg_html_number(html, 100 * direction->share, 1);
  rg_html_put(html, " %%</figcaption></figure><div class=\"samples\">");
  for (size_t i = 0; i < direction->sample_count; i++) put_sample(html, &direction->samples[i]);
  rg_html_put(html, "</div></div>\n");
}

static void put_portrait(rg_report *report, size_t p) {
  rg_html *html = &report->html;
  const rango_portrait *portrait = portrait_of(report, p);
  if (!is_shown(report, p, 0)) return;
  rg_html_put(html, "<h3>");
  if (p) rg_html_put(html, "%zu ", p);
  rg_html_text(html, p ? report->layers[p - 1].name : "The data itself");
  rg_html_put(html, "</h3>\n<div class=\"dirs\">\n");
  for (size_t d = 0; is_shown(report, p, d); d++) put_direction(html, &portrait->directions[d], d + 1);
  rg_html_put(html, "</div>\n");
}

void rg_section_pictures(rg_report *report) {
  rg_html *html = &report->html;
  bool any = false;
  for (size_t p = 0; p <= report->layer_count && !any; p++) any = is_shown(report, p, 0);
  if (!any) return;
  rg_html_put(html, "<section id=\"pictures\" class=\"long\"><h2>Leading directions</h2>\n<p class=\"soft\">");
  if (report->manifold)
    rg_html_put(html, "Along which directions the samples vary most, with each one’s share of the variance, and the "
                      "samples that lie farthest along it, in standard deviations.</p>\n");
  else
    rg_html_put(html,
                "Along which directions a layer’s outputs vary most, with each one’s share of the variance: what the "
                "layer weighs the data with to get there, where it reads the data itself (the first factor of a "
                "low-rank layer keeps the leading ones), and the calibration rows that lie farthest along it, in "
                "standard deviations. A frame shows where in the row.</p>\n");
  define_samples(report);
  for (size_t p = 0; p <= report->layer_count; p++) put_portrait(report, p);
  rg_html_put(html, "</section>\n");
}
