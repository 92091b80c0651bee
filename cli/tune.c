/* rango tune */
#include <stdio.h>

#include "args.h"
#include "commands.h"
#include "output.h"
#include "progress.h"

int command_tune(int count, char **arguments) {
  bool json = false, quiet = false;
  const char *path = "rango-costs.json";
  int64_t threads = 1;
  const option options[] = {
      {"output", 'o', OPTION_TEXT, &path, "FILE", "where to write the costs [rango-costs.json]", 0, 0},
      {"threads", 0, OPTION_INT, &threads, "N", "threads that layers will run on; 0: one a core [1]", 0, 1024},
      COMMON_OPTIONS(&json, &quiet),
  };
  int code;
  if (!args_parse(args_find_command("tune"), options, sizeof options / sizeof *options, count, arguments, NULL, 0, 0,
                  &code))
    return code;
  if (quiet) progress_hide();
  rango_status status = rango_tune(path, (int)threads, progress_show, NULL);
  progress_clear();
  if (status != RANGO_OK) return report_failure();
  if (json) {
    cJSON *root = json_object();
    json_text(root, "file", path);
    json_integer(root, "threads", threads);
    json_print(root);
  } else if (!quiet) {
    printf("%s written: use it with 'rango compress --costs %s'\n", path, path);
  }
  return EXIT_DONE;
}
