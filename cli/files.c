/* See files.h. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static trm_status fail_io(trm_error *err, const char *path, const char *doing) {
  return cli_fail(err, TRM_E_IO, -1, "%s: cannot %s: %s", path, doing, strerror(errno));
}

trm_status cli_path(char *out, trm_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(out, CLI_PATH_MAX, fmt, args);
  va_end(args);
  if (n < 0 || n >= CLI_PATH_MAX)
    return cli_fail(err, TRM_E_ARGUMENT, -1, "a path is longer than %d bytes: %.80s...",
                    CLI_PATH_MAX - 1, out);
  return TRM_OK;
}

bool cli_exists(const char *path) {
  struct stat s;
  return lstat(path, &s) == 0;
}

bool cli_is_file(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

bool cli_ends_in(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  return n > m && !strcmp(path + n - m, suffix);
}

trm_status cli_make_dirs(const char *path, trm_error *err) {
  char part[CLI_PATH_MAX];
  struct stat s;
  CLI_TRY(cli_path(part, err, "%s", path));
  for (char *c = part;; c++) {
    if (c == part || (*c && *c != '/')) continue;
    char kept = *c;
    *c = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST) return fail_io(err, part, "make the folder");
    if (!kept) break;
    *c = kept;
  }
  if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode))
    return cli_fail(err, TRM_E_IO, -1, "%s: not a folder", path);
  return TRM_OK;
}

trm_status cli_sync_dir(const char *path, trm_error *err) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_io(err, path, "open the folder");
  /* Some file systems cannot sync a folder and say EINVAL. */
  bool good = fsync(fd) == 0 || errno == EINVAL;
  trm_status st = good ? TRM_OK : fail_io(err, path, "sync the folder");
  close(fd);
  return st;
}

trm_status cli_remove_folder(const char *path, trm_error *err) {
  DIR *d = opendir(path);
  if (!d) return errno == ENOENT ? TRM_OK : fail_io(err, path, "open the folder");
  trm_status st = TRM_OK;
  for (struct dirent *e; st == TRM_OK && (e = readdir(d));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(dirfd(d), e->d_name, 0) != 0)
      st =
          cli_fail(err, TRM_E_IO, -1, "%s/%s: cannot remove: %s", path, e->d_name, strerror(errno));
  closedir(d);
  if (st == TRM_OK && rmdir(path) != 0) st = fail_io(err, path, "remove");
  return st;
}

trm_status cli_check_model_folder(const char *path, trm_error *err) {
  static const char *const may_be[] = {".", "..", "config.json", "model.safetensors"};
  enum { N_MAY_BE = sizeof may_be / sizeof *may_be };
  DIR *d = opendir(path);
  if (!d) return errno == ENOENT ? TRM_OK : fail_io(err, path, "open the folder");
  trm_status st = TRM_OK;
  for (struct dirent *e; st == TRM_OK && (e = readdir(d));) {
    int i = 0;
    while (i < N_MAY_BE && strcmp(e->d_name, may_be[i]) != 0) i++;
    if (i == N_MAY_BE)
      st = cli_fail(err, TRM_E_IO, -1,
                    "%s holds '%s', which no model folder does: nothing is written there; choose "
                    "another output folder",
                    path, e->d_name);
  }
  closedir(d);
  return st;
}

trm_status cli_swap_link(const char *link, const char *target, trm_error *err) {
  char tmp[CLI_PATH_MAX];
  CLI_TRY(cli_path(tmp, err, "%s.tmp", link));
  if (unlink(tmp) != 0 && errno != ENOENT) return fail_io(err, tmp, "remove");
  if (symlink(target, tmp) != 0) return fail_io(err, tmp, "link");
  if (rename(tmp, link) != 0) return fail_io(err, link, "replace the link");
  return TRM_OK;
}

trm_status cli_outfile_open(cli_outfile *o, const char *path, trm_error *err) {
  o->f = NULL;
  CLI_TRY(cli_path(o->path, err, "%s", path));
  snprintf(o->tmp, sizeof o->tmp, "%s.tmp", path);
  o->f = fopen(o->tmp, "wb");
  return o->f ? TRM_OK : fail_io(err, o->tmp, "write");
}

void cli_outfile_abort(cli_outfile *o) {
  if (!o->f) return;
  fclose(o->f);
  o->f = NULL;
  unlink(o->tmp);
}

trm_status cli_outfile_commit(cli_outfile *o, trm_error *err) {
  char dir[CLI_PATH_MAX];
  if (fflush(o->f) != 0 || ferror(o->f) || fsync(fileno(o->f)) != 0) {
    trm_status st = fail_io(err, o->path, "write");
    cli_outfile_abort(o);
    return st;
  }
  bool closed = fclose(o->f) == 0;
  o->f = NULL;
  if (!closed || rename(o->tmp, o->path) != 0) {
    trm_status st = fail_io(err, o->path, "write");
    unlink(o->tmp);
    return st;
  }
  const char *slash = strrchr(o->path, '/');
  CLI_TRY(
      cli_path(dir, err, "%.*s", slash ? (int)(slash - o->path) + 1 : 1, slash ? o->path : "."));
  return cli_sync_dir(dir, err);
}
