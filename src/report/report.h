/* One self-contained page: no network, no framework. Each section is a file that writes itself. */
#ifndef RG_REPORT_REPORT_H
#define RG_REPORT_REPORT_H

#include "report/html.h"

/* A layer as all sections see it. */
typedef struct rg_report_layer {
  const char *name, *op;
  const rango_portrait *portrait;           /* NULL: none was taken */
  const rango_compressed_layer *compressed; /* NULL: of spectra alone */
} rg_report_layer;

/* The rank that bounds the dimension of the layer's outputs; 0 where there is none: dense, or a form whose rank counts
 * something else. */
int rg_report_output_rank(const rg_report_layer *layer);

typedef struct rg_report {
  rg_html html;
  rango_report_options options;
  const rango_portrait *data; /* NULL: none was taken */
  rg_report_layer *layers;
  size_t layer_count;
  const rango_spectra *spectra;    /* of spectra alone; NULL otherwise */
  const rango_compression *result; /* NULL: of spectra or samples alone */
  const rango_manifold *manifold;  /* of samples alone; NULL otherwise */
  rango_compress_summary summary;
} rg_report;

/* "top-1 accuracy", and a value of the metric with its unit */
const char *rg_metric_name(rango_metric metric);
void rg_report_metric(rg_html *html, rango_metric metric, double value);

const char *rg_estimator_title(rango_estimator estimator); /* as people write it */

void rg_page_begin(rg_report *report, const char *fallback_title); /* head, style, title */
void rg_page_end(rg_report *report);                               /* command, version, script */
extern const char rg_page_style[], rg_page_script[];

/* A figure of a page's first row, in large letters until the caller ends it; the bar (NaN: none) shows a share. */
void rg_card_begin(rg_html *html, const char *what);
void rg_card_end(rg_html *html, double share);

void rg_section_gains(rg_report *report);      /* before and after */
void rg_section_curve(rg_report *report);      /* what else the search looked at */
void rg_section_depth(rg_report *report);      /* dimensions, layer by layer */
void rg_section_layers(rg_report *report);     /* the table of a compression */
void rg_section_dimensions(rg_report *report); /* the table of spectra */
void rg_section_left_alone(rg_report *report); /* the table of what is no layer to compression */
void rg_section_spectra(rg_report *report);
void rg_section_samples(rg_report *report);    /* what samples are */
void rg_section_estimates(rg_report *report);  /* their intrinsic dimension by estimator */
void rg_table_estimates(rg_report *report);    /* of that section */
void rg_section_decimation(rg_report *report); /* the same from fewer of them */
void rg_section_spectrum(rg_report *report);
void rg_section_projection(rg_report *report);
void rg_section_pictures(rg_report *report);
void rg_section_checks(rg_report *report); /* what was measured and what wasn't */

#endif
