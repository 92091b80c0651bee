/* The reports, section by section. */
#include "report/report.h"

#include <string.h>

#include "base/memory.h"

int rg_report_output_rank(const rg_report_layer *layer) {
  const rango_compressed_layer *c = layer->compressed;
  if (!c || c->rank_count == 0 || strcmp(c->form, "spatial") == 0 || strcmp(c->form, "pointwise") == 0) return 0;
  return c->ranks[c->rank_count - 1];
}

static rango_status open_page(rg_report *report, const char *path, const rango_report_options *options) {
  RG_FAIL_IF(!path, RANGO_ERROR_ARGUMENT, "report: no path");
  RG_FAIL_IF(options && options->struct_size < sizeof *options, RANGO_ERROR_ARGUMENT, "report: struct_size is not set");
  if (options) report->options = *options;
  RG_TRY(rg_calloc(report->layer_count, sizeof *report->layers, RG_OUT(&report->layers)));
  return rg_file_writer_create(path, &report->html.file);
}

static rango_status close_page(rg_report *report, rango_status status) {
  if (status == RANGO_OK && report->html.status != RANGO_OK)
    status = rg_fail(report->html.status, "report: out of memory");
  if (status == RANGO_OK) status = rg_file_writer_commit(report->html.file);
  rg_file_writer_free(report->html.file);
  rg_free(report->layers);
  return status;
}

static void write_compression(rg_report *report) {
  const rango_compressed_layer *from;
  for (size_t i = 0; (from = rango_compression_layer(report->result, i)); i++)
    report->layers[i] = (rg_report_layer){from->name, from->op, from->portrait, from};
  rg_page_begin(report, "A smaller network");
  rg_section_gains(report);
  rg_section_curve(report);
  rg_section_layers(report);
  rg_section_left_alone(report);
  rg_section_depth(report);
  rg_section_spectra(report);
  rg_section_pictures(report);
  rg_section_checks(report);
  rg_page_end(report);
}

rango_status rango_compression_write_report(const rango_compression *result, const char *path,
                                            const rango_report_options *options) {
  RG_FAIL_IF(!result, RANGO_ERROR_ARGUMENT, "report: NULL argument");
  rg_report report = {.result = result, .data = rango_compression_data(result)};
  report.summary.struct_size = sizeof report.summary;
  RG_TRY(rango_compression_summary(result, &report.summary));
  while (rango_compression_layer(result, report.layer_count)) report.layer_count++;
  rango_status status = open_page(&report, path, options);
  if (status == RANGO_OK) write_compression(&report);
  return close_page(&report, status);
}

static void write_spectra(rg_report *report) {
  const rango_layer_spectrum *from;
  for (size_t i = 0; (from = rango_spectra_layer(report->spectra, i)); i++)
    report->layers[i] = (rg_report_layer){.name = from->name, .op = from->op, .portrait = from->portrait};
  rg_page_begin(report, "A network’s dimensions");
  rg_section_depth(report);
  rg_section_dimensions(report);
  rg_section_left_alone(report);
  rg_section_spectra(report);
  rg_section_pictures(report);
  rg_page_end(report);
}

rango_status rango_spectra_write_report(const rango_spectra *spectra, const char *path,
                                        const rango_report_options *options) {
  RG_FAIL_IF(!spectra, RANGO_ERROR_ARGUMENT, "report: NULL argument");
  rg_report report = {.spectra = spectra, .data = rango_spectra_data(spectra)};
  while (rango_spectra_layer(spectra, report.layer_count)) report.layer_count++;
  rango_status status = open_page(&report, path, options);
  if (status == RANGO_OK) write_spectra(&report);
  return close_page(&report, status);
}

rango_status rango_manifold_write_report(const rango_manifold *manifold, const char *path,
                                         const rango_report_options *options) {
  RG_FAIL_IF(!manifold, RANGO_ERROR_ARGUMENT, "report: NULL argument");
  rg_report report = {.manifold = manifold, .data = rango_manifold_portrait(manifold)};
  RG_FAIL_IF(!report.data, RANGO_ERROR_ARGUMENT, "report: the samples' portrait was not asked for");
  rango_status status = open_page(&report, path, options);
  if (status == RANGO_OK) {
    rg_page_begin(&report, "The dimension of samples");
    rg_section_samples(&report);
    rg_section_estimates(&report);
    rg_section_decimation(&report);
    rg_section_spectrum(&report);
    rg_section_projection(&report);
    rg_section_pictures(&report);
    rg_page_end(&report);
  }
  return close_page(&report, status);
}
