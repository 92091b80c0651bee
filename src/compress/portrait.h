/* What reports show of the data and of every layer: spectrum, leading directions, the samples that excite these most.
 */
#ifndef RG_COMPRESS_PORTRAIT_H
#define RG_COMPRESS_PORTRAIT_H

#include "compress/compress.h"

#define RG_PORTRAIT_DIRECTIONS 6
#define RG_PORTRAIT_SAMPLES    5
#define RG_PORTRAIT_SCANNED    256 /* rows of the data that samples are looked for in, at most */
#define RG_PICTURE_SIDE        40  /* pixels of a picture, at most */
#define RG_CURVE_POINTS        256 /* of a picture of one row */

/* ---- picture.c ---- */

/* How a row of the data is a picture: an image, or a curve of height 1. */
typedef struct rg_view {
  size_t input; /* of the data set */
  int64_t channels, height, width;
  bool channels_last;
  int64_t shrink; /* pixels that become one, along each side */
} rg_view;

/* False where the rows are neither. By shape; flat rows by what they hold: neighbours that are alike along a line make
 * a curve, along the lines of a square an image. */
bool rg_view_find(const rango_dataset *data, rg_view *out);
/* Row number `row` of the data. */
rango_status rg_view_picture(const rg_view *view, const rango_dataset *data, int64_t row, rg_arena *arena,
                             rango_picture *out);
/* Numbers laid out as a row of the data. */
rango_status rg_view_of_numbers(const rg_view *view, const double *numbers, rg_arena *arena, rango_picture *out);
/* Whether a site reads the data with nothing but arithmetic by elements and changes of shape between. */
bool rg_view_is_read_by(const rg_view *view, const rango_model *model, const rg_site *site);
/* What a site that reads the data weighs it with: weights [site inputs]. */
rango_status rg_view_weights(const rg_view *view, const rg_site *site, const double *weights, rg_arena *arena,
                             rango_picture *out);

/* ---- components.c ---- */

/* Principal components of rows [rows][columns]. */
typedef struct rg_components {
  int64_t columns, count, leading; /* count = min(rows, columns) */
  double *mean;                    /* [columns] */
  double *variances;               /* [count], descending */
  double *vectors;                 /* [leading][columns], each with its longer tail on the positive side */
} rg_components;

rango_status rg_components_of(const float *rows, int64_t count, int64_t columns, int64_t leading, rg_components *out);
void rg_components_free(rg_components *components);

/* ---- excite.c ---- */

/* Directions as linear functions of what a layer reads: value = (weights . x + offset) / deviation. */
typedef struct rg_probe {
  int64_t inputs, count;
  float *weights; /* [count][inputs] */
  double offset[RG_PORTRAIT_DIRECTIONS], deviation[RG_PORTRAIT_DIRECTIONS];
  int64_t found; /* samples, the same number for each direction */
  struct {
    int64_t row, place; /* place: which of the row's positions */
    double value;
  } best[RG_PORTRAIT_DIRECTIONS][RG_PORTRAIT_SAMPLES];
} rg_probe;

/* Of a layer's components seen from its input; `site` NULL: of the data itself. */
rango_status rg_probe_create(const rg_site *site, const rg_components *components, rg_probe *out);
void rg_probe_free(rg_probe *probe);
/* Looks at x [rows][places][inputs], the data's rows from `first` on. */
rango_status rg_probe_look(rg_probe *probe, const float *x, int64_t first, int64_t rows, int64_t places);
/* Shows every site's input on the first rows of the data to its probe (inputs 0: nothing to look for). */
rango_status rg_probes_scan(const rango_model *model, rg_sites *sites, const rg_calibration *calibration, int64_t rows,
                            rg_probe *probes);

/* ---- portrait.c ---- */

typedef struct rg_portraits {
  rango_portrait data;
  rango_portrait *layers; /* [sites] */
} rg_portraits;

/* Of so many rows, how many a portrait is taken of. */
int64_t rg_portrait_rows(int64_t count, int64_t columns);

/* Of a data set of one input, no more rows than a portrait is taken of, whose spectrum is known; everything in `arena`.
 * plane [rows][2]: where the rows lie along the first two components. */
rango_status rg_portrait_of_samples(const rango_dataset *data, const rango_spectrum *spectrum, rg_arena *arena,
                                    rango_portrait *out, float *plane);

/* Of the calibration's data, everything in `arena`. */
rango_status rg_portraits_collect(const rango_model *model, rg_sites *sites, const rg_calibration *calibration,
                                  rg_arena *arena, rg_portraits *out);

#endif
