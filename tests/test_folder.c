/* A builder's folder: who looks while it is replaced sees the old one or the new one. */
#include "data/dataset_folder.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scratch.h"

static atomic_bool stop_looking;

/* How often the file was not there. */
static void *look(void *path) {
  size_t absent = 0;
  while (!stop_looking) absent += access(path, F_OK) != 0;
  return (void *)absent;
}

static void build(const char *dir) {
  char path[200];
  trm__folder f = {0};
  trm_error err;
  if (trm__folder_begin(&f, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  snprintf(path, sizeof path, "%s/train", f.temporary);
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  snprintf(path, sizeof path, "%s/train/dataset.json", f.temporary);
  write_bytes(path, "{}", 2);
  if (trm__folder_commit(&f, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(access(f.temporary, F_OK), -1);
  assert_int_equal(access(f.replaced, F_OK), -1);
  trm__folder_abort(&f);
}

static bool exchanges(scratch *s) {
  bool can = false;
#if defined(SYS_renameat2) && defined(RENAME_EXCHANGE)
  char a[160], b[160];
  snprintf(a, sizeof a, "%s", scratch_path(s, "a"));
  snprintf(b, sizeof b, "%s", scratch_path(s, "b"));
  write_bytes(a, "a", 1);
  write_bytes(b, "b", 1);
  can = syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
#else
  (void)s;
#endif
  return can;
}

static void a_folder_is_never_absent(void **state) {
  enum { BUILDS = 100 };
  scratch *s = *state;
  char dir[160], path[200];
  pthread_t thread;
  void *absent;
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "set"));
  snprintf(path, sizeof path, "%s/train/dataset.json", dir);
  build(dir);
  assert_int_equal(pthread_create(&thread, NULL, look, path), 0);
  for (int i = 0; i < BUILDS; i++) build(dir);
  stop_looking = true;
  assert_int_equal(pthread_join(thread, &absent), 0);
  assert_int_equal(access(path, F_OK), 0);
  if (!exchanges(s)) {
    print_message("this file system cannot exchange two folders\n");
    skip();
  }
  assert_null(absent);
}

/* What lies behind a link is replaced where it lies; a name that stands for a place is none. */
static void links_stay(void **state) {
  scratch *s = *state;
  char dir[160], link[160], path[200];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "real"));
  snprintf(link, sizeof link, "%s", scratch_path(s, "link"));
  build(dir);
  snprintf(path, sizeof path, "%s/identifiers.json", dir);
  write_bytes(path, "[]", 2); /* of the old set: gone with it */
  assert_int_equal(symlink(dir, link), 0);
  build(link);
  assert_int_equal(access(path, F_OK), -1);
  assert_true(readlink(link, path, sizeof path) > 0);
  trm__folder f = {0};
  trm_error err;
  assert_int_equal(trm__folder_begin(&f, ".", &err), TRM_E_IO);
  assert_true(speaks_of(&err, "name that instead"));
  trm__folder_abort(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_folder_is_never_absent),
                                     cmocka_unit_test(links_stay)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
