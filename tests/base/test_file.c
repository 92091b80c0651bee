/* Files are mapped, kept inside their folder, and written whole or not at all. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/file.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/memory.h"

static char folder[64];

static int make_folder(void **state) {
  folder_make(folder);
  return 0;
}

static int remove_folder(void **state) {
  folder_remove(folder);
  return 0;
}

static void test_map(void **state) {
  rg_buffer *file;
  folder_write(folder, "five", "12345", 5);
  check_ok(rg_file_map(folder_path(folder, "five"), &file));
  assert_int_equal(rg_buffer_bytes(file), 5);
  assert_memory_equal(rg_buffer_data(file), "12345", 5);
  rg_buffer_forget_pages(file, rg_buffer_data(file), 5);
  assert_memory_equal(rg_buffer_data(file), "12345", 5); /* read again */
  rg_buffer_release(file);

  folder_write(folder, "empty", "", 0);
  check_ok(rg_file_map(folder_path(folder, "empty"), &file));
  assert_int_equal(rg_buffer_bytes(file), 0);
  rg_buffer_release(file);
}

static void test_map_failures(void **state) {
  rg_buffer *file;
  check_fails(rg_file_map(folder_path(folder, "missing"), &file), RANGO_ERROR_IO, "missing");
  assert_null(file);
  check_fails(rg_file_map(folder, &file), RANGO_ERROR_IO, "not a regular file");
  check_fails(rg_file_map("/dev/zero", &file), RANGO_ERROR_IO, "not a regular file");
  assert_int_equal(mkfifo(folder_path(folder, "pipe"), 0600), 0);
  check_fails(rg_file_map(folder_path(folder, "pipe"), &file), RANGO_ERROR_IO, "not a regular file"); /* no waiting */
}

static void test_map_inside(void **state) {
  rg_buffer *file;
  assert_int_equal(mkdir(folder_path(folder, "sub"), 0700), 0);
  folder_write(folder, "sub/weights", "abc", 3);
  const char *good[] = {"sub/weights", "./sub/weights", "sub//weights", "sub/./weights"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    check_ok(rg_file_map_inside(folder, good[i], &file));
    assert_memory_equal(rg_buffer_data(file), "abc", 3);
    rg_buffer_release(file);
  }
  unlink(folder_path(folder, "sub/weights"));
  rmdir(folder_path(folder, "sub"));
}

static void test_map_inside_refuses(void **state) {
  rg_buffer *file;
  char long_name[400];
  memset(long_name, 'a', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = 0;
  assert_int_equal(mkdir(folder_path(folder, "in"), 0700), 0);
  folder_write(folder, "secret", "abc", 3);
  assert_int_equal(symlink("../secret", folder_path(folder, "in/link")), 0);
  assert_int_equal(symlink("..", folder_path(folder, "in/up")), 0);
  const char *in = folder_path(folder, "in");
  check_fails(rg_file_map_inside(in, "../secret", &file), RANGO_ERROR_FORMAT, "leaves the folder");
  check_fails(rg_file_map_inside(in, "a/../../secret", &file), RANGO_ERROR_IO, "a/../../secret");
  check_fails(rg_file_map_inside(in, "./..", &file), RANGO_ERROR_FORMAT, "leaves the folder");
  check_fails(rg_file_map_inside(in, "/etc/passwd", &file), RANGO_ERROR_FORMAT, "absolute");
  check_fails(rg_file_map_inside(in, "link", &file), RANGO_ERROR_FORMAT, "symbolic link");
  check_fails(rg_file_map_inside(in, "up/secret", &file), RANGO_ERROR_FORMAT, "symbolic link");
  check_fails(rg_file_map_inside(in, "", &file), RANGO_ERROR_FORMAT, "empty");
  check_fails(rg_file_map_inside(in, ".", &file), RANGO_ERROR_IO, "not a regular file");
  check_fails(rg_file_map_inside(in, long_name, &file), RANGO_ERROR_FORMAT, "too long");
  check_fails(rg_file_map_inside(in, "missing", &file), RANGO_ERROR_IO, "missing");
  check_fails(rg_file_map_inside(folder_path(folder, "none"), "x", &file), RANGO_ERROR_IO, "none");
  assert_null(file);
  unlink(folder_path(folder, "in/link"));
  unlink(folder_path(folder, "in/up"));
  rmdir(folder_path(folder, "in"));
}

static void test_folder_of_path(void **state) {
  static const char *const cases[][2] = {
      {"a/b.onnx", "a"}, {"b.onnx", "."}, {"/b.onnx", "/"}, {"a//b", "a"}, {"/a/b/c", "/a/b"}};
  rg_arena *arena;
  const char *found;
  check_ok(rg_arena_create(&arena));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    check_ok(rg_path_folder(arena, cases[i][0], &found));
    assert_string_equal(found, cases[i][1]);
  }
  rg_arena_free(arena);
}

/* 300 kB in pieces of many sizes: through the buffer and past it. */
static rango_status write_pieces(void *path) {
  unsigned char piece[70000];
  rg_file_writer *writer;
  RG_TRY(rg_file_writer_create(path, &writer));
  size_t written = 0;
  for (size_t bytes = 1; written < 300000; bytes = bytes * 5 % 69997 + 1) {
    for (size_t i = 0; i < bytes; i++) piece[i] = (unsigned char)((written + i) * 31 >> 3);
    rg_file_writer_write(writer, piece, bytes);
    written += bytes;
    if (rg_file_writer_position(writer) != written) written = 0;
  }
  rango_status status = rg_file_writer_commit(writer);
  rg_file_writer_free(writer);
  return status;
}

static void test_writer(void **state) {
  size_t bytes;
  check_ok(write_pieces((void *)folder_path(folder, "out")));
  char *data = folder_read(folder, "out", &bytes);
  assert_true(bytes >= 300000);
  for (size_t i = 0; i < bytes; i++) assert_int_equal((unsigned char)data[i], (unsigned char)(i * 31 >> 3));
  free(data);
  assert_int_equal(folder_count(folder), 1); /* no temporary file */
}

static void test_writer_without_commit_leaves_nothing(void **state) {
  size_t bytes;
  rg_file_writer *writer;
  folder_write(folder, "old", "old", 3);
  check_ok(rg_file_writer_create(folder_path(folder, "old"), &writer));
  rg_file_writer_write(writer, "new", 3);
  rg_file_writer_free(writer);
  char *data = folder_read(folder, "old", &bytes);
  assert_string_equal(data, "old");
  free(data);
  assert_int_equal(folder_count(folder), 1);
}

static void test_writer_keeps_link_and_rights(void **state) {
  size_t bytes;
  struct stat info;
  rg_file_writer *writer;
  folder_write(folder, "real", "old", 3);
  chmod(folder_path(folder, "real"), 0640);
  assert_int_equal(symlink("real", folder_path(folder, "link")), 0);
  check_ok(rg_file_writer_create(folder_path(folder, "link"), &writer));
  rg_file_writer_write(writer, "new", 3);
  check_ok(rg_file_writer_commit(writer));
  rg_file_writer_free(writer);
  char *data = folder_read(folder, "real", &bytes);
  assert_string_equal(data, "new");
  free(data);
  assert_int_equal(lstat(folder_path(folder, "link"), &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(stat(folder_path(folder, "real"), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0640);
}

static void test_writer_failures(void **state) {
  rg_file_writer *writer;
  check_fails(rg_file_writer_create(folder_path(folder, "none/out"), &writer), RANGO_ERROR_IO, "none/out");
  assert_null(writer);
  check_fails(rg_file_writer_create(folder, &writer), RANGO_ERROR_IO, "is a folder");
  int fd = open("/dev/full", O_WRONLY);
  if (fd < 0) return; /* only Linux has it */
  close(fd);
  check_fails(write_pieces("/dev/full"), RANGO_ERROR_IO, "/dev/full");
}

/* A disk that is full after 100 kB: the error is reported, the old file stays, the temporary one goes. */
static void test_writer_on_a_full_disk(void **state) {
  struct rlimit before, small;
  size_t bytes;
  folder_write(folder, "out", "old", 3);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 100000;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  rango_status status = write_pieces((void *)folder_path(folder, "out"));
  setrlimit(RLIMIT_FSIZE, &before);
  assert_int_equal(status, RANGO_ERROR_IO);
  assert_non_null(strstr(rango_error_message(), "writing failed"));
  assert_int_equal(folder_count(folder), 1);
  char *data = folder_read(folder, "out", &bytes);
  assert_string_equal(data, "old");
  free(data);
}

static void test_writer_without_memory(void **state) {
  assert_true(fail_every_allocation(write_pieces, (void *)folder_path(folder, "out"), 50) >= 3);
  assert_int_equal(folder_count(folder), 1);
}

int main(void) {
#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
  const struct CMUnitTest tests[] = {
      in_folder(test_map),
      in_folder(test_map_failures),
      in_folder(test_map_inside),
      in_folder(test_map_inside_refuses),
      cmocka_unit_test(test_folder_of_path),
      in_folder(test_writer),
      in_folder(test_writer_without_commit_leaves_nothing),
      in_folder(test_writer_keeps_link_and_rights),
      in_folder(test_writer_failures),
      in_folder(test_writer_on_a_full_disk),
      in_folder(test_writer_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
