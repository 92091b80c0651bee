/* Command lines from tables: parsing, help, and hints for what is misspelt. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define TEXT_LIST_MAX 256

typedef struct text_list {
  const char *items[TEXT_LIST_MAX];
  size_t count;
} text_list;

typedef enum option_kind {
  OPTION_FLAG,   /* bool */
  OPTION_TEXT,   /* const char * */
  OPTION_LIST,   /* text_list: may be repeated */
  OPTION_INT,    /* int64_t within minimum … maximum */
  OPTION_NUMBER, /* double within minimum … maximum; NaN where it isn't given */
  OPTION_CHOICE  /* int: index among the words of `choices`, separated by '|' */
} option_kind;

typedef struct option {
  const char *name; /* without dashes */
  char letter;      /* 0: none */
  option_kind kind;
  void *target;      /* holds the default before parsing */
  const char *value; /* what the help calls the value; for OPTION_CHOICE the words */
  const char *help;
  double minimum, maximum; /* both 0: no bound */
} option;

typedef struct command {
  const char *name;
  const char *summary; /* one line */
  const char *usage;   /* behind the command's name */
  const char *details; /* paragraphs, or NULL */
  const char *example;
  int (*run)(int count, char **arguments);
  bool linear_algebra; /* uses that library */
} command;

extern const command commands[];
extern const size_t command_count;

/* Every command's --json and --quiet. */
#define COMMON_OPTIONS(json_target, quiet_target)                                                                      \
  {"json", 0, OPTION_FLAG, (json_target), NULL, "print the result as JSON", 0, 0}, {                                   \
    "quiet", 'q', OPTION_FLAG, (quiet_target), NULL, "print nothing but errors and what was asked for", 0, 0           \
  }

/* Parses the arguments behind the command's name; positional ones go to `positional` [wanted]. Returns true when the
 * command should go on; otherwise *exit_code says how it ended (help was printed, or wrong usage). Up to `wanted`
 * positional arguments are taken, at least `needed`. */
bool args_parse(const command *self, const option *options, size_t option_count, int count, char **arguments,
                const char **positional, int needed, int wanted, int *exit_code);

/* "rango: <message>", a hint how to get help, and EXIT_USAGE. */
int args_wrong(const command *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

const command *args_find_command(const char *name);
/* The candidate that a misspelt word most likely meant, or NULL. `get` gives candidate i. */
const char *args_closest(const char *word, const char *(*get)(const void *table, size_t i), const void *table,
                         size_t count);

#endif
