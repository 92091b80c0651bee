/* Spectra and intrinsic dimensions: table and JSON. */
#include "spectrum.h"

#include <math.h>
#include <stdio.h>

table *spectrum_table_create(void) {
  static const char *const titles[] = {"outputs of", "operator", "rows", "ambient", "90 %", "99 %", "99.9 %",
                                       "TwoNN",      "MLE",      "m",    "95 %",    "by",   "2m",   "2m+1"};
  return table_create(14, titles, "llrrrrrrrrllrr");
}

static void number_cell(table *t, double number) { table_cell(t, isfinite(number) ? "%.1f" : "-", number); }

void spectrum_table_add(table *t, const char *name, const char *op, const rango_spectrum *s) {
  bool known = isfinite(s->intrinsic.value);
  table_cell(t, "%.44s", name);
  table_cell(t, "%s", op);
  table_cell(t, "%lld", (long long)s->rows);
  table_cell(t, "%lld", (long long)s->dimension);
  table_cell(t, "%lld", (long long)s->pca90);
  table_cell(t, "%lld", (long long)s->pca99);
  table_cell(t, "%lld", (long long)s->pca999);
  number_cell(t, s->two_nn);
  number_cell(t, s->mle);
  number_cell(t, s->intrinsic.value);
  table_cell(t, known ? "%.1f to %.1f" : "-", s->intrinsic.low, s->intrinsic.high);
  table_cell(t, "%s", known ? rango_estimator_name(s->estimator) : "");
  table_cell(t, known ? "%lld" : "-", (long long)s->whitney);
  table_cell(t, known ? "%lld" : "-", (long long)s->whitney_linear);
}

void spectrum_table_print(table *t) {
  table_print(t);
  table_free(t);
  printf(
      "90 %%, 99 %%, 99.9 %%: principal components that hold so much of the variance. m: the intrinsic dimension, by\n"
      "local_pca where neighbourhoods show a clear gap, otherwise from distances and angles (combined) or, where\n"
      "neighbourhoods are curved, from distances alone (nearest). Whitney: a smooth m-manifold embeds in 2m\n"
      "dimensions, and almost every linear projection to 2m+1 tells its points apart.\n");
}

static cJSON *estimate_json(const rango_estimate *e) {
  cJSON *item = json_object();
  json_number(item, "value", e->value);
  json_number(item, "low", e->low);
  json_number(item, "high", e->high);
  return item;
}

static cJSON *decimation_json(const rango_spectrum *s) {
  cJSON *list = json_array();
  for (int i = 0; i < s->decimations; i++) {
    cJSON *item = json_object(), *low = json_object(), *high = json_object();
    json_integer(item, "rows", s->decimation[i].rows);
    for (int e = 0; e < RANGO_ESTIMATORS; e++) {
      const char *name = rango_estimator_name((rango_estimator)e);
      json_number(item, name, s->decimation[i].estimates[e].value);
      json_number(low, name, s->decimation[i].estimates[e].low);
      json_number(high, name, s->decimation[i].estimates[e].high);
    }
    json_add(item, "low", low);
    json_add(item, "high", high);
    json_add(list, NULL, item);
  }
  return list;
}

void json_spectrum(cJSON *to, const rango_spectrum *s) {
  bool known = isfinite(s->intrinsic.value);
  cJSON *estimates = json_object();
  json_integer(to, "rows", s->rows);
  json_integer(to, "dimension", s->dimension);
  json_integer(to, "pca90", s->pca90);
  json_integer(to, "pca99", s->pca99);
  json_integer(to, "pca999", s->pca999);
  json_number(to, "two_nn", s->two_nn);
  json_number(to, "mle", s->mle);
  json_add(to, "intrinsic", estimate_json(&s->intrinsic));
  json_text(to, "estimator", known ? rango_estimator_name(s->estimator) : NULL);
  json_count(to, "gap", s->gap ? s->gap : -1);
  json_count(to, "whitney", known ? s->whitney : -1);
  json_count(to, "whitney_linear", known ? s->whitney_linear : -1);
  for (int e = 0; e < RANGO_ESTIMATORS; e++)
    json_add(estimates, rango_estimator_name((rango_estimator)e), estimate_json(&s->estimates[e]));
  json_add(to, "estimates", estimates);
  json_add(to, "decimation", decimation_json(s));
}
