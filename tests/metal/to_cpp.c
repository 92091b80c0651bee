/*
 * Makes a C++ file of a kernel in Metal's language: the text between headers that define its keywords (metal_stdlib),
 * and a table entry with the text itself, which newLibraryWithSource: is matched against.
 *
 *   to_cpp NAME FILE.metal OUT.cpp
 *
 * The text changes only where C++ can't be brought to read it: swizzles become calls, threadgroup variables are marked,
 * and spirv-cross's template of arrays, overloaded by address space, is left out (metal_stdlib has one).
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *name, const char *text) {
  fprintf(stderr, "to_cpp: %s: %s\n", name, text);
  exit(1);
}

static char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) fail(path, strerror(errno));
  long size = ftell(file);
  rewind(file);
  char *text = calloc((size_t)size + 1, 1);
  if (!text || fread(text, 1, (size_t)size, file) != (size_t)size) fail(path, "can't be read");
  fclose(file);
  return text;
}

static bool is_word(int c) { return isalnum(c) || c == '_'; }

/* How long the word at `text` is, if it is a swizzle of at least two components; else 0. */
static size_t swizzle_length(const char *text) {
  size_t length = strspn(text, "xyzw");
  return length >= 2 && length <= 4 && !is_word((unsigned char)text[length]) ? length : 0;
}

static void put_swizzle(FILE *out, const char *text, size_t length) {
  fputs("template swizzle<", out);
  for (size_t i = 0; i < length; i++) fprintf(out, "%s%d", i ? ", " : "", (int)(strchr("xyzw", text[i]) - "xyzw"));
  fputs(">()", out);
}

/* Declares a threadgroup variable: no pointer, reference or function. */
static bool is_shared_variable(const char *line) {
  line += strspn(line, " ");
  if (strncmp(line, "threadgroup ", 12) != 0) return false;
  const char end = line[strcspn(line, "*&()=[;\n")];
  return end == '[' || end == ';';
}

static void put_line(FILE *out, const char *line, size_t length) {
  bool shared = is_shared_variable(line);
  for (size_t i = 0; i < length; i++) {
    const bool starts = i == 0 || !is_word((unsigned char)line[i - 1]);
    size_t swizzle = i > 0 && line[i - 1] == '.' ? swizzle_length(line + i) : 0;
    if (swizzle) {
      put_swizzle(out, line + i, swizzle);
      i += swizzle - 1;
    } else if (starts && strncmp(line + i, "threadgroup ", 12) == 0) {
      fputs(shared ? "METAL_SHARED " : "", out);
      i += 11;
    } else {
      fputc(line[i], out);
    }
  }
  fputc('\n', out);
}

/* Returns whether a threadgroup variable was declared. */
static bool put_body(FILE *out, const char *text) {
  bool shared = false;
  for (const char *line = text; *line;) {
    if (strncmp(line, "template<typename T, size_t Num>\nstruct spvUnsafeArray", 54) == 0) {
      line = strstr(line, "\n};\n");
      if (!line) fail("spvUnsafeArray", "has no end");
      line += 4;
      continue;
    }
    const size_t length = strcspn(line, "\n");
    shared = shared || is_shared_variable(line);
    put_line(out, line, length);
    line += length + (line[length] == '\n');
  }
  return shared;
}

/* main0's arguments, each by its attribute; fills the masks of buffers. */
static void put_call(FILE *out, const char *text, unsigned *arguments, unsigned *constants) {
  const char *at = strstr(text, "kernel void main0(");
  if (!at) fail("main0", "is not there");
  at += strlen("kernel void main0(");
  const char *end = strchr(at, '{');
  fputs("static void run(const metal_thread *t) {\n  main0(", out);
  for (const char *next; (next = strstr(at, "[[")) && next < end; at = next + 2) {
    const bool constant = strncmp(at + strspn(at, "], \n"), "constant ", 9) == 0;
    unsigned index;
    if (*arguments || at != strstr(text, "kernel void main0(") + strlen("kernel void main0(")) fputs(", ", out);
    if (sscanf(next, "[[buffer(%u)]]", &index) == 1) {
      if (index > 30) fail("main0", "a buffer index over 30");
      fprintf(out, "METAL_BUFFER(t, %u)", index);
      *arguments |= 1u << index;
      if (constant) *constants |= 1u << index;
    } else {
      fprintf(out, "METAL_%.*s(t)", (int)strcspn(next + 2, "]"), next + 2);
    }
  }
  fputs(");\n}\n", out);
}

static void put_quoted(FILE *out, const char *text) {
  fputs("static const char source[] =\n  \"", out);
  for (; *text; text++) {
    if (*text == '\n')
      fputs(text[1] ? "\\n\"\n  \"" : "\\n", out);
    else if (*text == '"' || *text == '\\')
      fprintf(out, "\\%c", *text);
    else
      fputc(*text, out);
  }
  fputs("\";\n", out);
}

int main(int count, char **words) {
  if (count != 4) {
    fprintf(stderr, "usage: to_cpp NAME FILE.metal OUT.cpp\n");
    return 2;
  }
  const char *name = words[1];
  char *text = read_text(words[2]);
  FILE *out = fopen(words[3], "w");
  if (!out) fail(words[3], strerror(errno));
  fprintf(out, "#define METAL_KERNEL_NAME \"%s\"\n#define METAL_SHARED_SECTION \"metal_shared_%s\"\n", name, name);
  /* In there Metal's functions hide those of C. */
  fprintf(out, "#include <metal_stdlib>\nnamespace metal::text_%s {\n", name);
  const bool shared = put_body(out, text);
  unsigned arguments = 0, constants = 0;
  put_call(out, text, &arguments, &constants);
  fputs("}\n", out);
  put_quoted(out, text);
  if (shared) fprintf(out, "extern \"C\" char __start_metal_shared_%s[], __stop_metal_shared_%s[];\n", name, name);
  fprintf(out,
          "extern \"C\" const metal_kernel metal_kernel_%s;\nextern \"C\" const metal_kernel metal_kernel_%s = {\n",
          name, name);
  fprintf(out, "    \"%s\", source, 0x%x, 0x%x, %s, ", name, arguments, constants,
          strstr(text, "_barrier(") ? "true" : "false");
  if (shared)
    fprintf(out, "__start_metal_shared_%s, __stop_metal_shared_%s, ", name, name);
  else
    fputs("nullptr, nullptr, ", out);
  fprintf(out, "metal::text_%s::run};\n", name);
  free(text);
  if (fclose(out) != 0) fail(words[3], strerror(errno));
  return 0;
}
