/* Facts of a report, beside the page that the library writes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "report.h"
#include "spectrum.h"

/* ---- the command line ---- */

static bool is_plain(const char *text) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+@%-";
  return text[0] && strspn(text, plain) == strlen(text);
}

/* Appends the argument, within single quotes where a shell would read it otherwise. */
static char *append_quoted(char *to, const char *text) {
  bool plain = is_plain(text);
  *to++ = ' ';
  if (!plain) *to++ = '\'';
  for (; *text; text++) {
    if (*text == '\'') {
      memcpy(to, "'\\'", 3);
      to += 3;
    }
    *to++ = *text;
  }
  if (!plain) *to++ = '\'';
  *to = 0;
  return to;
}

char *command_line(const char *name, int count, char *const *arguments) {
  size_t bytes = strlen("rango ") + strlen(name) + 1;
  for (int i = 0; i < count; i++) bytes += 4 * strlen(arguments[i]) + 3;
  char *text = must_alloc(bytes, 1), *at = append_quoted(stpcpy(text, "rango"), name);
  for (int i = 0; i < count; i++) at = append_quoted(at, arguments[i]);
  return text;
}

int check_folder(const char *path) {
  char folder[4096];
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) + 1 : 0;
  if (length >= sizeof folder) return report_failure_of("%.80s...: the name is too long", path);
  memcpy(folder, path, length);
  memcpy(folder + length, length ? "" : ".", length ? 1 : 2);
  if (access(folder, W_OK | X_OK) == 0) return EXIT_DONE;
  return report_failure_of("%s: can't write into its folder: %s", path, strerror(errno));
}

/* ---- JSON ---- */

static cJSON *direction_json(const rango_direction *direction) {
  cJSON *item = json_object(), *samples = json_array();
  json_number(item, "share", direction->share);
  for (size_t i = 0; i < direction->sample_count; i++) {
    cJSON *sample = json_object();
    json_integer(sample, "row", direction->samples[i].row);
    json_number(sample, "deviations", direction->samples[i].value);
    json_add(samples, NULL, sample);
  }
  json_add(item, "samples", samples);
  return item;
}

void add_portrait(cJSON *to, const rango_portrait *portrait) {
  cJSON *shares = json_array(), *directions = json_array();
  json_spectrum(to, &portrait->spectrum);
  for (size_t i = 0; i < portrait->share_count; i++) json_number(shares, NULL, portrait->shares[i]);
  for (size_t i = 0; i < portrait->direction_count; i++)
    json_add(directions, NULL, direction_json(&portrait->directions[i]));
  json_add(to, "shares", shares);
  json_add(to, "directions", directions);
}

cJSON *portrait_json(const rango_portrait *portrait) {
  if (!portrait) return cJSON_CreateNull();
  cJSON *item = json_object();
  add_portrait(item, portrait);
  return item;
}

cJSON *left_alone_json(const rango_left_alone *item) {
  cJSON *json = json_object();
  json_text(json, "name", item->name);
  json_text(json, "op", item->op);
  json_text(json, "shape", item->shape);
  json_integer(json, "params", item->params);
  json_text(json, "reason", item->reason);
  return json;
}

void print_left_alone(const rango_left_alone *item) {
  printf("left alone: %s (%s %s, %s parameters): %s\n", item->name, item->op, item->shape, text_count(item->params),
         item->reason);
}

cJSON *curve_json(const rango_compression *result) {
  cJSON *list = json_array();
  const rango_curve_point *point;
  for (size_t i = 0; (point = rango_compression_curve(result, i)); i++) {
    cJSON *item = json_object();
    json_number(item, "params", point->params);
    json_number(item, "macs", point->macs);
    json_number(item, "damage", point->damage);
    json_number(item, "metric", point->metric);
    json_number(item, "bound", point->bound);
    json_add(item, "chosen", cJSON_CreateBool(point->chosen));
    json_add(list, NULL, item);
  }
  return list;
}
