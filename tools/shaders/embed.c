/*
 * Puts compiled shaders into one C file, with what their SPIR-V says of themselves, and holds them to the rules that
 * the translation to Metal needs (docs/DESIGN.md): storage buffers at bindings 1 … n of set 0, 32-bit scalars as push
 * constants, sizes fixed by -D, no .length(), at most 32 KB of shared memory.
 *
 *   embed OUT.c [--spirv] [--msl [--metallib]] [--twin NAME FILE.metal]... NAME FILE.spv FILE.metal ...
 *
 * --metallib: beside each FILE.metal lies what Metal's compiler made of it, FILE.metallib, or nothing.
 * --twin: another Metal source of a shader, for GPUs with SIMD-group matrices.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARED_MOST   32768
#define BINDINGS_MOST 8
#define PUSH_MOST     32

enum {
  OP_TYPE_BOOL = 20,
  OP_TYPE_INT = 21,
  OP_TYPE_FLOAT = 22,
  OP_TYPE_VECTOR = 23,
  OP_TYPE_ARRAY = 28,
  OP_TYPE_STRUCT = 30,
  OP_TYPE_POINTER = 32,
  OP_CONSTANT = 43,
  OP_SPEC_FIRST = 48,
  OP_SPEC_LAST = 52,
  OP_VARIABLE = 59,
  OP_ARRAY_LENGTH = 68,
  OP_EXECUTION_MODE = 16,
  OP_DECORATE = 71,
  OP_MEMBER_DECORATE = 72
};
enum {
  MODE_LOCAL_SIZE = 17,
  DECORATION_BINDING = 33,
  DECORATION_SET = 34,
  DECORATION_OFFSET = 35,
  CLASS_WORKGROUP = 4,
  CLASS_PUSH_CONSTANT = 9
};

typedef struct shader {
  const char *name;
  const uint32_t *words;
  size_t count;
  const uint32_t **definition; /* [bound]: the instruction that makes each id, or NULL */
  uint32_t bound;
  uint32_t threads[3], shared, bindings, push;
} shader;

static void fail(const char *name, const char *text) {
  fprintf(stderr, "embed: shader %s: %s\n", name, text);
  exit(1);
}

static void *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) fail(path, strerror(errno));
  long size = ftell(file);
  rewind(file);
  char *data = size >= 0 ? calloc((size_t)size + 1, 1) : NULL;
  if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) fail(path, "can't be read");
  fclose(file);
  *bytes = (size_t)size;
  return data;
}

static const uint32_t *definition(const shader *s, uint32_t id) {
  if (id >= s->bound || !s->definition[id]) fail(s->name, "an id without a definition");
  return s->definition[id];
}

/* Bytes of a type in shared memory. */
static uint32_t size_of(const shader *s, uint32_t type) {
  const uint32_t *op = definition(s, type);
  switch (op[0] & 0xffff) {
  case OP_TYPE_BOOL:
    return 4;
  case OP_TYPE_INT:
  case OP_TYPE_FLOAT:
    return op[2] / 8;
  case OP_TYPE_VECTOR:
    return size_of(s, op[2]) * (op[3] == 3 ? 4 : op[3]);
  case OP_TYPE_ARRAY:
    return size_of(s, op[2]) * definition(s, op[3])[3];
  case OP_TYPE_STRUCT: {
    uint32_t total = 0;
    for (uint32_t i = 2; i < op[0] >> 16; i++) total += size_of(s, op[i]);
    return total;
  }
  default:
    fail(s->name, "a type in shared memory that isn't counted");
    return 0;
  }
}

/* A block of 32-bit scalars. */
static uint32_t push_words(const shader *s, uint32_t pointer) {
  const uint32_t *block = definition(s, definition(s, pointer)[3]);
  for (uint32_t i = 2; i < block[0] >> 16; i++) {
    const uint32_t *member = definition(s, block[i]), op = member[0] & 0xffff;
    if ((op != OP_TYPE_INT && op != OP_TYPE_FLOAT) || member[2] != 32)
      fail(s->name, "push constants have to be 32-bit scalars");
  }
  return (block[0] >> 16) - 2;
}

static void look_at(shader *s, const uint32_t *op, uint32_t *bound_mask) {
  switch (op[0] & 0xffff) {
  case OP_EXECUTION_MODE:
    if (op[2] == MODE_LOCAL_SIZE) memcpy(s->threads, op + 3, sizeof s->threads);
    break;
  case OP_DECORATE:
    if (op[2] == DECORATION_SET && op[3] != 0) fail(s->name, "a descriptor set other than 0");
    if (op[2] != DECORATION_BINDING) break;
    if (op[3] < 1 || op[3] > BINDINGS_MOST) fail(s->name, "bindings have to be 1 to 8");
    *bound_mask |= 1u << (op[3] - 1);
    break;
  case OP_ARRAY_LENGTH:
    fail(s->name, ".length() of a buffer needs a hidden argument in Metal");
    break;
  case OP_VARIABLE:
    if (op[3] == CLASS_WORKGROUP) s->shared += size_of(s, definition(s, op[1])[3]);
    if (op[3] == CLASS_PUSH_CONSTANT) s->push = push_words(s, op[1]);
    break;
  default:
    if ((op[0] & 0xffff) >= OP_SPEC_FIRST && (op[0] & 0xffff) <= OP_SPEC_LAST)
      fail(s->name, "specialization constants don't survive the translation: use -D");
  }
}

/* Which word of an instruction is the id that it makes: 0 for none. */
static int result_word(uint32_t op) {
  if ((op >= OP_TYPE_BOOL && op <= OP_TYPE_STRUCT) || op == OP_TYPE_POINTER) return 1;
  return op == OP_CONSTANT || op == OP_VARIABLE ? 2 : 0;
}

static void inspect(shader *s) {
  if (s->count < 5 || s->words[0] != 0x07230203u) fail(s->name, "not SPIR-V");
  s->bound = s->words[3];
  s->definition = calloc(s->bound + 1, sizeof *s->definition);
  uint32_t mask = 0;
  for (int pass = 0; pass < 2; pass++)
    for (size_t at = 5; at < s->count; at += s->words[at] >> 16) {
      const uint32_t *op = s->words + at;
      if (op[0] >> 16 == 0 || at + (op[0] >> 16) > s->count) fail(s->name, "truncated SPIR-V");
      int result = result_word(op[0] & 0xffff);
      if (pass == 0 && result && op[result] < s->bound) s->definition[op[result]] = op;
      if (pass == 1) look_at(s, op, &mask);
    }
  while (mask >> s->bindings & 1) s->bindings++;
  if (mask >> s->bindings) fail(s->name, "bindings have to follow each other");
  if (s->threads[0] == 0) fail(s->name, "no local size");
  if (s->shared > SHARED_MOST) fail(s->name, "more than 32 KB of shared memory");
  if (s->push > PUSH_MOST) fail(s->name, "more than 32 words of push constants");
}

static void put_text(FILE *out, const char *prefix, const char *name, const char *path) {
  size_t bytes;
  char *const whole = read_file(path, &bytes);
  fprintf(out, "static const char %s_%s[] =\n\"", prefix, name);
  for (const char *text = whole; *text; text++) {
    if (*text == '\n')
      fputs(text[1] ? "\\n\"\n\"" : "\\n", out);
    else if (*text == '"' || *text == '\\')
      fprintf(out, "\\%c", *text);
    else
      fputc(*text, out);
  }
  fputs("\";\n", out);
  free(whole);
}

/* False where the file is empty: there was no compiler. */
static int put_bytes(FILE *out, const char *prefix, const char *name, const char *path) {
  size_t bytes;
  unsigned char *whole = read_file(path, &bytes);
  if (bytes > 0) fprintf(out, "static const uint8_t %s_library_%s[] = {", prefix, name);
  for (size_t i = 0; i < bytes; i++) fprintf(out, "%s%u,", i % 24 ? "" : "\n", whole[i]);
  if (bytes > 0) fputs("\n};\n", out);
  free(whole);
  return bytes > 0;
}

/* The source at `path`, and the library beside it where `metallib`, as the shader's field `field`. */
static void put_msl(FILE *out, FILE *table, const char *field, const char *name, const char *path, int metallib) {
  char library[4096];
  put_text(out, field, name, path);
  fprintf(table, ".%s = {.source = %s_%s", field, field, name);
  if (snprintf(library, sizeof library, "%slib", path) >= (int)sizeof library) fail(path, "is too long");
  if (metallib && put_bytes(out, field, name, library))
    fprintf(table, ", .library = %s_library_%s, .library_bytes = sizeof %s_library_%s", field, name, field, name);
  fputs("}, ", table);
}

static void put_words(FILE *out, const shader *s) {
  fprintf(out, "static const uint32_t spirv_%s[] = {", s->name);
  for (size_t i = 0; i < s->count; i++) fprintf(out, "%s0x%x,", i % 12 ? "" : "\n", s->words[i]);
  fputs("\n};\n", out);
}

/* The file of the shader's twin, or NULL. `count` words are options. */
static const char *twin_of(char **options, int count, const char *name) {
  for (int i = 0; i + 2 < count; i++)
    if (strcmp(options[i], "--twin") == 0 && strcmp(options[i + 1], name) == 0) return options[i + 2];
  return NULL;
}

int main(int count, char **arguments) {
  int at = 2, spirv = 0, msl = 0, metallib = 0;
  for (; at < count && strncmp(arguments[at], "--", 2) == 0; at++) {
    if (strcmp(arguments[at], "--spirv") == 0) spirv = 1;
    if (strcmp(arguments[at], "--msl") == 0) msl = 1;
    if (strcmp(arguments[at], "--metallib") == 0) metallib = 1;
    if (strcmp(arguments[at], "--twin") == 0) at += 2;
  }
  if (count < 3 || (count - at) % 3 != 0) {
    fprintf(
        stderr,
        "usage: embed OUT.c [--spirv] [--msl [--metallib]] [--twin NAME FILE.metal]... NAME FILE.spv FILE.metal ...\n");
    return 2;
  }
  FILE *out = fopen(arguments[1], "w"), *table = tmpfile();
  if (!out || !table) fail(arguments[1], strerror(errno));
  fputs("/* Made by tools/shaders/embed.c. */\n#include \"gpu/backend.h\"\n\n", out);
  for (int i = at; i < count; i += 3) {
    size_t bytes;
    shader s = {.name = arguments[i]};
    s.words = read_file(arguments[i + 1], &bytes);
    s.count = bytes / sizeof *s.words;
    inspect(&s);
    if (spirv) put_words(out, &s);
    const char *twin = twin_of(arguments, at, s.name);
    fprintf(table, "  {.name = \"%s\", ", s.name);
    if (spirv) fprintf(table, ".spirv = spirv_%s, .spirv_bytes = sizeof spirv_%s, ", s.name, s.name);
    if (msl) put_msl(out, table, "msl", s.name, arguments[i + 2], metallib);
    if (twin) put_msl(out, table, "msl_matrices", s.name, twin, metallib);
    fprintf(table, ".threads = {%u, %u, %u}, .shared_bytes = %u, .binding_count = %u, .push_words = %u},\n",
            s.threads[0], s.threads[1], s.threads[2], s.shared, s.bindings, s.push);
    free(s.definition);
    free((void *)s.words);
  }
  fputs("\nconst rg_gpu_shader rg_gpu_shaders[] = {\n", out);
  rewind(table);
  for (int c = fgetc(table); c != EOF; c = fgetc(table)) fputc(c, out);
  fclose(table);
  fputs("};\nconst int rg_gpu_shader_count = sizeof rg_gpu_shaders / sizeof *rg_gpu_shaders;\n", out);
  if (fclose(out) != 0) fail(arguments[1], strerror(errno));
  return 0;
}
