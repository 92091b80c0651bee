#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was meant ---- */

#define WORD_MAX 40

/* Levenshtein's distance. */
static size_t distance(const char *a, const char *b) {
  size_t row[WORD_MAX + 1], length = strlen(b);
  if (strlen(a) > WORD_MAX || length > WORD_MAX) return WORD_MAX;
  for (size_t j = 0; j <= length; j++) row[j] = j;
  for (size_t i = 0; a[i]; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < length; j++) {
      size_t best = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      if (row[j + 1] + 1 < best) best = row[j + 1] + 1;
      if (row[j] + 1 < best) best = row[j] + 1;
      row[j + 1] = best;
    }
  }
  return row[length];
}

const char *args_closest(const char *word, const char *(*get)(const void *table, size_t i), const void *table,
                         size_t count) {
  const char *best = NULL;
  size_t nearest = strlen(word) / 3 + 2; /* farther words are no misspelling */
  for (size_t i = 0; i < count; i++) {
    size_t far = distance(word, get(table, i));
    if (far < nearest) nearest = far, best = get(table, i);
  }
  return best;
}

static const char *option_name(const void *table, size_t i) { return ((const option *)table)[i].name; }

/* ---- messages ---- */

int args_wrong(const command *self, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("rango: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, "\nTry 'rango %s%s--help'.\n", self ? self->name : "", self ? " " : "");
  return EXIT_USAGE;
}

static void print_option(const option *o) {
  char left[80];
  snprintf(left, sizeof left, "%c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
           o->letter ? ',' : ' ', o->name, o->value ? " " : "", o->value ? o->value : "");
  printf("  %-34s %s\n", left, o->help);
}

static void print_help(const command *self, const option *options, size_t option_count) {
  printf("rango %s: %s\n\nUsage: rango %s %s\n", self->name, self->summary, self->name, self->usage);
  if (self->details) printf("\n%s\n", self->details);
  printf("\nOptions:\n");
  for (size_t i = 0; i < option_count; i++) print_option(&options[i]);
  printf("  %-34s %s\n", "    --help", "print this help");
  printf("\nExample:\n  %s\n", self->example);
}

/* ---- values ---- */

static int take_number(const command *self, const option *o, const char *text) {
  char *end;
  errno = 0;
  double value = strtod(text, &end);
  bool bounded = o->minimum != 0 || o->maximum != 0;
  if (end == text || *end || errno == ERANGE || !isfinite(value))
    return args_wrong(self, "--%s needs a number, not '%s'", o->name, text);
  if (bounded && (value < o->minimum || value > o->maximum))
    return args_wrong(self, "--%s must be between %g and %g, not %s", o->name, o->minimum, o->maximum, text);
  if (o->kind == OPTION_NUMBER) {
    *(double *)o->target = value;
    return EXIT_DONE;
  }
  if (value != floor(value) || fabs(value) > 9007199254740992.0)
    return args_wrong(self, "--%s needs a whole number, not '%s'", o->name, text);
  *(int64_t *)o->target = (int64_t)value;
  return EXIT_DONE;
}

static int take_choice(const command *self, const option *o, const char *text) {
  int index = 0;
  for (const char *word = o->value; word; index++) {
    const char *bar = strchr(word, '|');
    size_t length = bar ? (size_t)(bar - word) : strlen(word);
    if (strlen(text) == length && strncmp(text, word, length) == 0) {
      *(int *)o->target = index;
      return EXIT_DONE;
    }
    word = bar ? bar + 1 : NULL;
  }
  return args_wrong(self, "--%s must be one of %s, not '%s'", o->name, o->value, text);
}

static int take_value(const command *self, const option *o, const char *text) {
  switch (o->kind) {
  case OPTION_TEXT:
    *(const char **)o->target = text;
    return EXIT_DONE;
  case OPTION_LIST: {
    text_list *list = o->target;
    if (list->count == TEXT_LIST_MAX) return args_wrong(self, "--%s is given over %d times", o->name, TEXT_LIST_MAX);
    list->items[list->count++] = text;
    return EXIT_DONE;
  }
  case OPTION_CHOICE:
    return take_choice(self, o, text);
  default:
    return take_number(self, o, text);
  }
}

/* ---- parsing ---- */

static const option *find_option(const option *options, size_t count, const char *name, size_t length) {
  for (size_t i = 0; i < count; i++)
    if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0) return &options[i];
  return NULL;
}

static int unknown_option(const command *self, const option *options, size_t count, const char *text) {
  char word[WORD_MAX + 1];
  snprintf(word, sizeof word, "%.*s", (int)strcspn(text + 2, "="), text + 2);
  const char *meant = text[1] == '-' ? args_closest(word, option_name, options, count) : NULL;
  if (meant) return args_wrong(self, "unknown option '%s': did you mean --%s?", text, meant);
  return args_wrong(self, "unknown option '%s'", text);
}

/* One option, its value being in the same argument or the next one. */
static int take_option(const command *self, const option *options, size_t option_count, int count, char **arguments,
                       int *index) {
  const char *text = arguments[*index], *value = NULL;
  const option *found = NULL;
  if (text[1] == '-') {
    size_t length = strcspn(text + 2, "=");
    found = find_option(options, option_count, text + 2, length);
    if (text[2 + length]) value = text + 3 + length;
  } else if (!text[2]) {
    for (size_t i = 0; i < option_count; i++)
      if (options[i].letter == text[1]) found = &options[i];
  }
  if (!found) return unknown_option(self, options, option_count, text);
  if (found->kind == OPTION_FLAG) {
    if (value) return args_wrong(self, "--%s takes no value", found->name);
    *(bool *)found->target = true;
    return EXIT_DONE;
  }
  if (!value) {
    if (*index + 1 >= count) return args_wrong(self, "--%s needs a value: %s", found->name, found->value);
    value = arguments[++*index];
  }
  return take_value(self, found, value);
}

bool args_parse(const command *self, const option *options, size_t option_count, int count, char **arguments,
                const char **positional, int needed, int wanted, int *exit_code) {
  int found = 0;
  for (int i = 0; i < count; i++)
    if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
      print_help(self, options, option_count);
      *exit_code = EXIT_DONE;
      return false;
    }
  for (int i = 0; i < count; i++) {
    const char *text = arguments[i];
    if (text[0] == '-' && text[1]) {
      *exit_code = take_option(self, options, option_count, count, arguments, &i);
      if (*exit_code != EXIT_DONE) return false;
    } else if (found == wanted) {
      *exit_code = args_wrong(self, "unexpected argument '%s'", text);
      return false;
    } else {
      positional[found++] = text;
    }
  }
  if (found < needed) {
    *exit_code = args_wrong(self, "no model given: rango %s %s", self->name, self->usage);
    return false;
  }
  return true;
}
