/* Allocation through the caller's allocator, arenas, shared buffers. */
#include <stdio.h>
#include <sys/mman.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "support/check.h"
#include "support/memory.h"

static void test_alignment_and_zeros(void **state) {
  for (size_t bytes = 0; bytes < 300; bytes += 7) {
    unsigned char *memory;
    check_ok(rg_calloc(1, bytes, RG_OUT(&memory)));
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % RG_ALIGNMENT, 0);
    for (size_t i = 0; i < bytes; i++) assert_int_equal(memory[i], 0);
    memset(memory, 0xa5, bytes);
    rg_free(memory);
  }
}

static void test_overflow(void **state) {
  void *memory;
  check_fails(rg_calloc(SIZE_MAX / 2, 3, &memory), RANGO_ERROR_MEMORY, "out of memory");
  assert_null(memory);
  check_fails(rg_alloc(SIZE_MAX - 8, &memory), RANGO_ERROR_MEMORY, "out of memory");
  check_fails(rg_alloc(PTRDIFF_MAX, &memory), RANGO_ERROR_MEMORY, "out of memory");
}

/* Whether the mapping that holds `address` wants huge pages; -1 where the system doesn't say. */
static int wants_huge_pages(const void *address) {
  FILE *maps = fopen("/proc/self/smaps", "r");
  char line[512];
  bool inside = false;
  int wants = -1;
  while (maps != NULL && wants < 0 && fgets(line, sizeof line, maps) != NULL) {
    unsigned long begin, end;
    if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
      inside = begin <= (uintptr_t)address && (uintptr_t)address < end;
    else if (inside && strncmp(line, "VmFlags:", 8) == 0)
      wants = strstr(line, " hg") != NULL;
  }
  if (maps != NULL) fclose(maps);
  return wants;
}

/* Whether the system says of a mapping that asked for huge pages that it did: an emulator may make the file up. */
static bool tells_huge_pages(void) {
#if defined(MADV_HUGEPAGE)
  const size_t bytes = (size_t)4 << 20;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool tells =
      memory != MAP_FAILED && madvise(memory, bytes, MADV_HUGEPAGE) == 0 && wants_huge_pages(memory) == 1;
  if (memory != MAP_FAILED) munmap(memory, bytes);
  return tells;
#else
  return false;
#endif
}

static void test_large_blocks(void **state) {
  (void)state;
  const size_t bytes = (size_t)5 << 20;
  char *memory;
  check_ok(rg_alloc(bytes, RG_OUT(&memory)));
  memset(memory, 1, bytes);
  assert_int_equal((uintptr_t)memory % RG_ALIGNMENT, 0);
  const int wants = wants_huge_pages(memory);
  rg_free(memory);
  if (!tells_huge_pages()) {
    puts("SKIP: the system doesn't say which memory asked for huge pages");
    skip();
  }
  assert_int_equal(wants, 1);
}

static void test_growing(void **state) {
  counting_allocator counting;
  counting_start(&counting, -1);
  int *numbers = NULL;
  check_ok(rg_realloc(RG_OUT(&numbers), 10 * sizeof *numbers));
  for (int i = 0; i < 10; i++) numbers[i] = i * i;
  check_ok(rg_realloc(RG_OUT(&numbers), 1000 * sizeof *numbers));
  for (int i = 0; i < 10; i++) assert_int_equal(numbers[i], i * i);
  check_ok(rg_realloc(RG_OUT(&numbers), 3 * sizeof *numbers));
  assert_int_equal(numbers[2], 4);
  int *kept = numbers;
  counting.refuse = 0;
  assert_int_equal(rg_realloc(RG_OUT(&numbers), 1 << 20), RANGO_ERROR_MEMORY);
  assert_ptr_equal(numbers, kept);
  assert_int_equal(numbers[2], 4);
  rg_free(numbers);
  counting_stop();
  assert_int_equal(counting.blocks, 0);
  assert_int_equal(counting.bytes, 0); /* release is told the size that was asked for */
}

static void test_list(void **state) {
  struct {
    int *items;
    size_t count, capacity;
  } list = {0};
  for (int i = 0; i < 1000; i++) {
    check_ok(RG_RESERVE(&list, 1));
    assert_true(list.capacity > list.count);
    list.items[list.count++] = i;
  }
  for (int i = 0; i < 1000; i++) assert_int_equal(list.items[i], i);
  assert_true(list.capacity < 2000);
  assert_int_equal(rg_list_reserve((void **)&list.items, &list.capacity, SIZE_MAX / 2, sizeof(int)),
                   RANGO_ERROR_MEMORY);
  rg_free(list.items);
}

static rango_status use_arena(void *argument) {
  rg_arena *arena;
  RG_TRY(rg_arena_create(&arena));
  rango_status status;
  /* Small and big objects mixed: none may overlap, all are zeroed and aligned. */
  unsigned char *blocks[200];
  for (size_t i = 0; i < 200; i++) {
    size_t bytes = i * i % 5000;
    RG_TRY_DONE(rg_arena_alloc(arena, bytes, RG_OUT(&blocks[i])));
    for (size_t b = 0; b < bytes; b++)
      if (blocks[i][b]) RG_TRY_DONE(rg_fail(RANGO_ERROR_INTERNAL, "not zeroed"));
    memset(blocks[i], (int)i, bytes);
    if ((uintptr_t)blocks[i] % 16) RG_TRY_DONE(rg_fail(RANGO_ERROR_INTERNAL, "not aligned"));
  }
  for (size_t i = 0; i < 200; i++)
    for (size_t b = 0; b < i * i % 5000; b++)
      if (blocks[i][b] != i) RG_TRY_DONE(rg_fail(RANGO_ERROR_INTERNAL, "overlap"));
  const char *text;
  RG_TRY_DONE(rg_arena_strndup(arena, "rank and file", 4, &text));
  if (strcmp(text, "rank") != 0) RG_TRY_DONE(rg_fail(RANGO_ERROR_INTERNAL, "text"));
  RG_TRY_DONE(rg_arena_printf(arena, &text, "%s_%d", "value", 12));
  if (strcmp(text, "value_12") != 0) RG_TRY_DONE(rg_fail(RANGO_ERROR_INTERNAL, "printed"));
  *(size_t *)argument = rg_arena_bytes(arena);
done:
  rg_arena_free(arena);
  return status;
}

static void test_arena(void **state) {
  size_t bytes = 0, sum = 0;
  assert_true(fail_every_allocation(use_arena, &bytes, 1000) > 5);
  for (size_t i = 0; i < 200; i++) sum += i * i % 5000;
  assert_true(bytes > sum && bytes < 2 * sum);
}

static void test_arena_refuses_sizes(void **state) {
  rg_arena *arena;
  void *memory;
  check_ok(rg_arena_create(&arena));
  check_fails(rg_arena_alloc(arena, SIZE_MAX - 3, &memory), RANGO_ERROR_MEMORY, "out of memory");
  check_fails(rg_arena_calloc(arena, SIZE_MAX / 4, 5, &memory), RANGO_ERROR_MEMORY, "out of memory");
  check_ok(rg_arena_alloc(arena, 0, &memory));
  assert_non_null(memory);
  rg_arena_free(arena);
}

/* A buffer in a file without a name keeps what was written when its pages are given back. */
static void test_scratch_buffers(void **state) {
  (void)state;
  const size_t bytes = 1 << 20;
  rg_buffer *buffer;
  check_ok(rg_buffer_create_scratch(bytes, &buffer));
  unsigned char *data = rg_buffer_data(buffer);
  assert_int_equal(rg_buffer_bytes(buffer), bytes);
  assert_int_equal(data[bytes - 1], 0);
  for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)(i % 251);
  rg_buffer_forget_pages(buffer, data, bytes);
  for (size_t i = 0; i < bytes; i++) assert_int_equal(data[i], i % 251);
  rg_buffer_release(buffer);
}

static void test_buffers(void **state) {
  counting_allocator counting;
  counting_start(&counting, -1);
  rg_buffer *buffer, *slice, *inner;
  check_ok(rg_buffer_create(1000, &buffer));
  unsigned char *data = rg_buffer_data(buffer);
  assert_int_equal((uintptr_t)data % RG_ALIGNMENT, 0);
  assert_int_equal(rg_buffer_bytes(buffer), 1000);
  memset(data, 7, 1000);
  check_ok(rg_buffer_slice(buffer, data + 100, 50, &slice));
  check_ok(rg_buffer_slice(slice, data + 110, 5, &inner));
  assert_ptr_equal(rg_buffer_retain(buffer), buffer);
  rg_buffer_release(buffer);
  rg_buffer_release(buffer);
  rg_buffer_release(slice);
  /* Only the slice of the slice is left: the bytes must be, too. */
  assert_int_equal(((unsigned char *)rg_buffer_data(inner))[4], 7);
  assert_int_equal(rg_buffer_bytes(inner), 5);
  rg_buffer_forget_pages(inner, data, 1000); /* allocated, not mapped: nothing happens */
  assert_int_equal(data[500], 7);
  rg_buffer_release(inner);
  counting_stop();
  assert_int_equal(counting.blocks, 0);
}

static void test_allocator_arguments(void **state) {
  rango_allocator allocator = {sizeof allocator, NULL, NULL, NULL};
  check_fails(rango_set_allocator(&allocator), RANGO_ERROR_ARGUMENT, "allocate");
  allocator.struct_size = 3;
  check_fails(rango_set_allocator(&allocator), RANGO_ERROR_ARGUMENT, "struct_size");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alignment_and_zeros),
      cmocka_unit_test(test_overflow),
      cmocka_unit_test(test_large_blocks),
      cmocka_unit_test(test_growing),
      cmocka_unit_test(test_list),
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_arena_refuses_sizes),
      cmocka_unit_test(test_buffers),
      cmocka_unit_test(test_scratch_buffers),
      cmocka_unit_test(test_allocator_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
