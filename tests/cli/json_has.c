/* Checks JSON on stdin: json_has PATH... where a path is keys and indices joined by dots, "rows.0.name", with "=TEXT"
 * behind it when it must have that value ("null", "true", a number or a string as printed). Says what is missing, and
 * fails. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1 << 22];

static const cJSON *walk(const cJSON *item, char *path) {
  for (char *key = strtok(path, "."); key && item; key = strtok(NULL, "."))
    item = cJSON_IsArray(item) ? cJSON_GetArrayItem(item, (int)strtol(key, NULL, 10))
                               : cJSON_GetObjectItemCaseSensitive(item, key);
  return item;
}

static int check(const cJSON *root, const char *wanted) {
  char path[256];
  snprintf(path, sizeof path, "%s", wanted);
  char *value = strchr(path, '=');
  if (value) *value++ = 0;
  const cJSON *item = walk(root, path);
  if (!item) return printf("no %s\n", wanted), 1;
  char *printed = value ? cJSON_PrintUnformatted(item) : NULL;
  const char *found = value && cJSON_IsString(item) ? item->valuestring : printed;
  int differs = value && strcmp(found, value) != 0;
  if (differs) printf("%s is %s\n", wanted, found);
  cJSON_free(printed);
  return differs;
}

int main(int count, char **paths) {
  size_t bytes = fread(text, 1, sizeof text - 1, stdin);
  text[bytes] = 0;
  cJSON *root = cJSON_ParseWithOpts(text, NULL, 1);
  int failures = 0;
  if (!root) return printf("no valid JSON: %.200s\n", text), 1;
  for (int i = 1; i < count; i++) failures += check(root, paths[i]);
  cJSON_Delete(root);
  return failures != 0;
}
