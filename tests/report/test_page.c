/* The page as a text: escaped, complete, self-contained. `test_page FILE` writes it there, for the test in a browser.
 */
#include <locale.h>

#include "report/html.h"
#include "report/pages.h"
#include "support/check.h"
#include "support/folder.h"

static char *page_text(const char *folder) {
  size_t bytes;
  check_ok(page_write(folder_path(folder, "page.html")));
  char *text = folder_read(folder, "page.html", &bytes);
  assert_non_null(text);
  assert_int_equal(strlen(text), bytes);
  assert_int_equal(folder_count(folder), 1);
  return text;
}

static int occurrences(const char *text, const char *what) {
  int count = 0;
  for (; (text = strstr(text, what)); text += strlen(what)) count++;
  return count;
}

static void names_stay_text(void **state) {
  char *text = page_text(*state);
  assert_int_equal(occurrences(text, "<script>"), 1); /* ours */
  assert_int_equal(occurrences(text, "</script>"), 1);
  assert_non_null(strstr(text, "&lt;script&gt;document.title=&#39;broken&#39;&lt;/script&gt;&quot;&#39;&amp;"
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
  assert_null(strstr(text, "<b>x"));
  assert_non_null(strstr(text, "<pre>rango compress &#39;&lt;b&gt;x&#39; -o &quot;y&quot;</pre>"));
  free(text);
}

static void everything_is_in_the_page(void **state) {
  char *text = page_text(*state);
  static const char *const loads[] = {"http:", "https:", "url(", "@import", "<link", "<iframe", "src=\"/", "//"};
  for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) assert_null(strstr(text, loads[i]));
  assert_int_equal(occurrences(text, " src=\""), occurrences(text, " src=\"data:image/png;base64,"));
  assert_int_equal(occurrences(text, "<image "), occurrences(text, " href=\"data:image/png;base64,"));
  assert_non_null(strstr(text, "default-src 'none'"));
  assert_null(strstr(text, "nan"));
  assert_null(strstr(text, "inf<"));
  free(text);
}

static void figures_are_the_results(void **state) {
  static const char *const texts[] = {"−75.0 %",
                                      "2.00 M → 500 k",
                                      "−50.0 %",
                                      "1.20 k → 600",
                                      "−75.0 %",
                                      "4.00 kB → 999 B",
                                      "2.50 ×",
                                      "98.20 %",
                                      "before: 98.50 %",
                                      "at most 0.5 points of top-1 lost",
                                      "Found in 12 s",
                                      "at most 0.70 points",
                                      "about 32.8 k rows",
                                      "1024 calibration rows",
                                      "spatial <span class=\"tag slow\">slower</span></td>",
                                      "spatial 8",
                                      "Left alone",
                                      "<td class=\"t\">[1, 32, 8]</td>",
                                      "<td class=\"t\">recurrent weights</td>"};
  char *text = page_text(*state);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!strstr(text, texts[i])) fail_msg("the page says nothing about \"%s\"", texts[i]);
  assert_int_equal(occurrences(text, "<figure class=\"spectrum\">"), 3); /* the data and two layers */
  assert_int_equal(occurrences(text, "<circle class=\"ring\""), 4);      /* both series in both charts */
  assert_int_equal(occurrences(text, "<g id=\"row"), 3);                 /* 3, 7 and 12, however often they are shown */
  assert_int_equal(occurrences(text, "<use href=\"#row12\"/>"), 4);
  free(text);
}

/* What zlib and struct of Python make of the same pixels. */
static void pictures_are_png(void **state) {
  static const float values[] = {0, 3};
  rango_picture picture = {1, 1, 2, values};
  rg_html html = {0};
  size_t bytes;
  check_ok(rg_file_writer_create(folder_path(*state, "picture"), &html.file));
  rg_html_png(&html, &picture, RG_TONE_SAMPLE);
  check_ok(html.status);
  check_ok(rg_file_writer_commit(html.file));
  rg_file_writer_free(html.file);
  char *text = folder_read(*state, "picture", &bytes);
  assert_string_equal(text, "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAADklEQVR4AQEDAPz/AAD/"
                            "AQIBALcBLvcAAAAASUVORK5CYII=");
  free(text);
}

static void numbers_ignore_the_locale(void **state) {
  if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
    puts("SKIP: no German locale");
    skip();
  }
  char *german = page_text(*state);
  setlocale(LC_NUMERIC, "C");
  char *text = page_text(*state);
  assert_string_equal(german, text);
  free(german);
  free(text);
}

static void failures_leave_nothing(void **state) {
  check_fails(page_write(folder_path(*state, "none/page.html")), RANGO_ERROR_IO, "none/page.html");
  rango_compression result;
  rango_compressed_layer layers[3];
  rango_curve_point curve[6];
  rango_report_options unset = {0};
  page_fill(&result, layers, curve);
  check_fails(rango_compression_write_report(&result, folder_path(*state, "x.html"), &unset), RANGO_ERROR_ARGUMENT,
              "struct_size");
  check_fails(rango_compression_write_report(NULL, "x.html", NULL), RANGO_ERROR_ARGUMENT, "NULL");
  check_fails(rango_spectra_write_report(NULL, "x.html", NULL), RANGO_ERROR_ARGUMENT, "NULL");
  assert_int_equal(folder_count(*state), 0);
}

/* A result without curve and portraits, and with all kinds of metrics and budgets. */
static void little_is_enough(void **state) {
  rango_compression result;
  rango_compressed_layer layers[3];
  rango_curve_point curve[6];
  for (int i = 0; i < 6; i++) {
    page_fill(&result, layers, curve);
    result.curve_count = 0;
    result.portraits = (rg_portraits){0};
    layers[0].portrait = layers[1].portrait = NULL;
    result.summary.budget = (rango_budget)i;
    result.summary.metric = (rango_metric)(i % 4);
    result.summary.bound = NAN;
    result.summary.labels = i % 2;
    size_t bytes;
    check_ok(rango_compression_write_report(&result, folder_path(*state, "page.html"), NULL));
    char *text = folder_read(*state, "page.html", &bytes);
    assert_int_equal(occurrences(text, "<section"), occurrences(text, "</section>"));
    assert_null(strstr(text, "id=\"curve\""));
    assert_null(strstr(text, "id=\"pictures\""));
    assert_null(strstr(text, "nan"));
    free(text);
  }
}

static int open_folder(void **state) {
  static char folder[64];
  folder_make(folder);
  *state = folder;
  return 0;
}

static int close_folder(void **state) {
  folder_remove(*state);
  return 0;
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(int count, char **arguments) {
  if (count == 2) return page_write(arguments[1]) != RANGO_OK;
  const struct CMUnitTest tests[] = {
      in_folder(names_stay_text),  in_folder(everything_is_in_the_page), in_folder(figures_are_the_results),
      in_folder(pictures_are_png), in_folder(numbers_ignore_the_locale), in_folder(failures_leave_nothing),
      in_folder(little_is_enough),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
