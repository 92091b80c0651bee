/* The page around the sections. */
#include "report/report.h"

/* The policy forbids the browser to load anything, whatever a name in a model may say. */
void rg_page_begin(rg_report *report, const char *fallback_title) {
  rg_html *html = &report->html;
  const char *title = report->options.title ? report->options.title : fallback_title;
  rg_html_raw(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                    "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
  rg_html_text(html, title);
  rg_html_raw(html, "</title>\n<style>\n");
  rg_html_raw(html, rg_page_style);
  rg_html_raw(html, "</style>\n</head>\n<body>\n<main>\n<h1>");
  rg_html_text(html, title);
  rg_html_raw(html, "</h1>\n");
}

void rg_page_end(rg_report *report) {
  rg_html *html = &report->html;
  if (report->options.command) {
    rg_html_raw(html, "<section id=\"repeat\"><h2>To repeat it</h2>\n<pre>");
    rg_html_text(html, report->options.command);
    rg_html_raw(html, "</pre></section>\n");
  }
  rg_html_put(html,
              "<footer>Rango %s. This page is complete in itself: it loads nothing.</footer>\n</main>\n<script>\n",
              rango_version());
  rg_html_raw(html, rg_page_script);
  rg_html_raw(html, "</script>\n</body>\n</html>\n");
}
