/* A builder's folder: who looks while it is replaced sees the old one or the new one. */
#include "data/dataset_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scratch.h"

/* --- a system that cannot --- */

static bool no_exchange;  /* of two names */
static const char *stuck; /* what cannot be renamed, as a folder of a container's lower layer */

int __real_renameat(int from_in, const char *from, int to_in, const char *to);
int __wrap_renameat(int from_in, const char *from, int to_in, const char *to);
int __wrap_renameat(int from_in, const char *from, int to_in, const char *to) {
  if (!stuck || strcmp(from, stuck) != 0) return __real_renameat(from_in, from, to_in, to);
  errno = EXDEV;
  return -1;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  va_list args;
  long a[6];
  if (no_exchange && number == SYS_renameat2) {
    errno = EINVAL;
    return -1;
  }
  va_start(args, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(args, long);
  va_end(args);
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static atomic_bool stop_looking;

/* How often the file was not there. */
static void *look(void *path) {
  size_t absent = 0;
  while (!stop_looking) absent += access(path, F_OK) != 0;
  return (void *)absent;
}

static void build(const char *dir) {
  char path[200], draft[200];
  trm__folder f = {0};
  trm_error err;
  if (trm__dataset_folder_begin(&f, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  snprintf(path, sizeof path, "%s/train", f.path);
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  snprintf(path, sizeof path, "%s/train/dataset.json", f.path);
  write_bytes(path, "{}", 2);
  if (trm__folder_commit(&f, &err) != TRM_OK) fail_msg("%s", err.msg);
  snprintf(draft, sizeof draft, "%s", f.path);
  trm__folder_abort(&f);
  assert_int_equal(access(draft, F_OK), -1);
}

static bool exchanges(scratch *s) {
  bool can = false;
#if defined(SYS_renameat2) && defined(RENAME_EXCHANGE) && !defined(TRM_TESTED_POSIX)
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
    print_message("this file system, or POSIX, cannot exchange two folders\n");
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
  assert_int_equal(trm__dataset_folder_begin(&f, ".", &err), TRM_E_IO); /* it holds other things */
  assert_true(speaks_of(&err, "is not replaced"));
  trm__folder_abort(&f);
}

/* A place that cannot be renamed is filled, and filled again; what else is in it is left alone. */
static void a_place_without_a_name_is_filled(void **state) {
  scratch *s = *state;
  char kept[400], dir[160];
  trm_error err;
  trm__folder f = {0};
  assert_non_null(getcwd(kept, sizeof kept));
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "here"));
  assert_int_equal(trm__make_dirs(dir, NULL), TRM_OK);
  assert_int_equal(chdir(dir), 0);
  for (int i = 0; i < 2; i++) {
    build(".");
    assert_int_equal(access("train/dataset.json", F_OK), 0);
    write_bytes("identifiers.json", "[]", 2); /* of the old set: gone with it */
  }
  build("./");
  assert_int_equal(access("identifiers.json", F_OK), -1);

  /* One that was killed there is no hindrance, and one that fails leaves the old set. */
  assert_int_equal(trm__make_dirs("new" TRM__PARTIAL "/train", NULL), TRM_OK);
  assert_int_equal(trm__dataset_folder_begin(&f, ".", &err), TRM_OK);
  assert_int_equal(access("train/dataset.json", F_OK), 0);
  trm__folder_abort(&f);
  assert_int_equal(access("train/dataset.json", F_OK), 0);
  assert_int_equal(access("new" TRM__PARTIAL, F_OK), -1);
  write_bytes("mine", "x", 1);
  assert_int_equal(trm__dataset_folder_begin(&f, ".", &err), TRM_E_IO);
  trm__folder_abort(&f);
  assert_int_equal(chdir(kept), 0);
}

/* Of a process that was killed: whole folders, also where two cannot change places. */
static void leftovers_are_put_right(void **state) {
  scratch *s = *state;
  trm_error err;
  trm__folder f = {0};
  char dir[160], partial[200], replaced[200], path[240];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "killed"));
  snprintf(partial, sizeof partial, "%s" TRM__PARTIAL, dir);
  snprintf(replaced, sizeof replaced, "%s" TRM__REPLACED, dir);
  snprintf(path, sizeof path, "%s/train/dataset.json", dir);

  /* A draft that grew: the next build takes its place. */
  snprintf(path, sizeof path, "%s/train", partial);
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  build(dir);
  assert_int_equal(access(partial, F_OK), -1);

  /* The old folder had stepped aside when the end came: it is back before anything else is done. */
  assert_int_equal(rename(dir, replaced), 0);
  assert_int_equal(trm__dataset_folder_begin(&f, dir, &err), TRM_OK);
  snprintf(path, sizeof path, "%s/train/dataset.json", dir);
  assert_int_equal(access(path, F_OK), 0);
  assert_int_equal(access(replaced, F_OK), -1);

  /* While one process builds, a second one is told so and takes nothing for a leftover. */
  trm__folder other = {0};
  assert_int_equal(trm__dataset_folder_begin(&other, dir, &err), TRM_E_SYSTEM);
  assert_true(speaks_of(&err, "another process is writing"));
  trm__folder_abort(&other);
  assert_int_equal(access(f.path, F_OK), 0);
  trm__folder_abort(&f);
  assert_int_equal(access(path, F_OK), 0);
  assert_int_equal(access(partial, F_OK), -1);
}

static bool holds(const char *path, const char *text) {
  size_t n;
  if (access(path, F_OK) != 0) return false;
  unsigned char *bytes = read_bytes(path, &n);
  const bool same = n == strlen(text) && !memcmp(bytes, text, n);
  free(bytes);
  return same;
}

/* Where two names cannot change places the old folder steps aside; where it cannot, it is filled.
 */
static void systems_without_an_exchange(void **state) {
  /* A folder, and what may be left beside it. */
  scratch *s = *state;
  char dir[160], old[200], set[200], aside[200], partial[200];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "steps"));
  snprintf(old, sizeof old, "%s/identifiers.json", dir);
  snprintf(set, sizeof set, "%s/train/dataset.json", dir);
  snprintf(aside, sizeof aside, "%s" TRM__REPLACED, dir);
  snprintf(partial, sizeof partial, "%s" TRM__PARTIAL, dir);

  /* A system that has no exchange of names. */
  no_exchange = true;
  build(dir);

  /* Stepping aside, then filling what cannot step aside: the new set is there, the old one's files
   * are gone, and nothing is left beside it. */
  for (int i = 0; i < 2; i++) {
    stuck = i ? "steps" : NULL;
    write_bytes(old, "[]", 2); /* of the old set: gone with it */
    build(dir);
    assert_int_equal(access(old, F_OK), -1);
    assert_true(holds(set, "{}"));
    assert_int_equal(access(aside, F_OK), -1);
    assert_int_equal(access(partial, F_OK), -1);
  }

  no_exchange = false;
  stuck = NULL;
}

/* What has the name of a leftover and is none, is neither removed nor put in the place of a set. */
static void what_is_not_ours_is_kept(void **state) {
  /* A place, and the name that its leftover would have. */
  scratch *s = *state;
  char dir[160], aside[200], mine[240], set[200];
  trm_error err;
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "ours"));
  snprintf(set, sizeof set, "%s/train/dataset.json", dir);
  snprintf(aside, sizeof aside, "%s" TRM__REPLACED, dir);

  /* A file of somebody's under that name, then a folder with one. */
  for (int i = 0; i < 2; i++) {
    snprintf(mine, sizeof mine, i ? "%s/notes.txt" : "%s", aside);
    if (i) assert_int_equal(trm__make_dirs(aside, NULL), TRM_OK);
    write_bytes(mine, "mine", 4);

    /* Where names can be exchanged it is in nobody's way. */
    build(dir); /* nothing was there */
    if (exchanges(s)) build(dir);
    assert_true(holds(mine, "mine") && holds(set, "{}"));

    /* Where it is in the way, that is an error with the remedy. */
    no_exchange = true;
    trm__folder f = {0};
    assert_int_equal(trm__dataset_folder_begin(&f, dir, &err), TRM_OK);
    assert_int_equal(trm__folder_commit(&f, &err), TRM_E_IO);
    assert_true(speaks_of(&err, "ours" TRM__REPLACED " is there: move it away"));
    trm__folder_abort(&f);
    no_exchange = false;

    /* The file and the set are as they were. */
    assert_true(holds(mine, "mine") && holds(set, "{}"));
    assert_int_equal(trm__remove_tree(dir, NULL), TRM_OK);
    assert_int_equal(trm__remove_tree(aside, NULL), TRM_OK);
  }
}

/* Only what does not exist is absent. */
static void what_cannot_be_looked_at_is_no_no(void **state) {
  scratch *s = *state;
  trm_error err;
  trm__dir d;
  trm__kind kind;
  char name[300];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0; /* longer than a name may be: the system refuses to look */
  assert_int_equal(trm__dir_open(&d, s->dir, &err), TRM_OK);
  assert_int_equal(trm__dir_look(&d, "none", &kind, &err), TRM_OK);
  assert_int_equal(kind, TRM__ABSENT);
  assert_int_equal(trm__dir_look(&d, name, &kind, &err), TRM_E_IO);
  trm__dir_close(&d);

  /* Links are followed, but for one that leads to itself. */
  static const struct {
    const char *name;
    trm_status status;
    trm__kind kind;
  } want[] = {{"", TRM_OK, TRM__DIR},         {"none", TRM_OK, TRM__ABSENT},
              {"file", TRM_OK, TRM__FILE},    {"file/none", TRM_OK, TRM__ABSENT},
              {"to_file", TRM_OK, TRM__FILE}, {"to_none", TRM_OK, TRM__ABSENT},
              {"round", TRM_E_IO, 0},         {"round/none", TRM_E_IO, 0}};
  write_bytes(scratch_path(s, "file"), "x", 1);
  assert_int_equal(symlink("file", scratch_path(s, "to_file")), 0);
  assert_int_equal(symlink("none", scratch_path(s, "to_none")), 0);
  assert_int_equal(symlink("round", scratch_path(s, "round")), 0);
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    const char *path = scratch_path(s, want[i].name);
    assert_int_equal(trm__path_look(path, &kind, &err), want[i].status);
    if (want[i].status == TRM_OK) assert_int_equal(kind, want[i].kind);
    if (want[i].status != TRM_OK) assert_non_null(strstr(err.msg, want[i].name));
    assert_int_equal(trm__path_exists(path), want[i].status != TRM_OK || kind != TRM__ABSENT);
  }
  assert_int_equal(trm__path_look(name, &kind, &err), TRM_OK); /* no such name can be */
  assert_int_equal(kind, TRM__ABSENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_folder_is_never_absent),
                                     cmocka_unit_test(links_stay),
                                     cmocka_unit_test(a_place_without_a_name_is_filled),
                                     cmocka_unit_test(leftovers_are_put_right),
                                     cmocka_unit_test(systems_without_an_exchange),
                                     cmocka_unit_test(what_is_not_ours_is_kept),
                                     cmocka_unit_test(what_cannot_be_looked_at_is_no_no)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
