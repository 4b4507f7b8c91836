/* See onnx_file.h. What the writer refuses it prints, and its exit code says of which kind it is.
 */
#include "cli/run/onnx_file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

#define REMEDY "pip install 'trm-solver[onnx]' (TRM_PYTHON names another Python)"

/* Nothing is imported from the current folder, which Python would look at first. */
static const char program[] =
    "import sys\n"
    "sys.path = [folder for folder in sys.path if folder]\n"
    "try:\n"
    "    from trm._onnx import main\n"
    "except (ImportError, SyntaxError) as e:\n"
    "    print(\"ONNX files are written by the Python package trm: %s; " REMEDY
    "\" % e)\n"
    "    sys.exit(1)\n"
    "sys.exit(main(sys.argv[1:]))\n";

extern char **environ;

/* Starts argv[0] with its stdout into a pipe; the end to read from, or -1. */
static int start(char *const *argv, pid_t *pid, trm_error *err) {
  int ends[2];
  posix_spawn_file_actions_t actions;
  if (pipe(ends) != 0) {
    cli_fail(err, TRM_E_SYSTEM, -1, "no pipe to %s: %s", argv[0], strerror(errno));
    return -1;
  }
  for (int i = 0; i < 2; i++) (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC); /* it has the copy alone */
  int failed = posix_spawn_file_actions_init(&actions);
  if (!failed) {
    failed = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (!failed) failed = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
  }
  close(ends[1]);
  if (!failed) return ends[0];
  close(ends[0]);
  cli_fail(err, TRM_E_SYSTEM, -1,
           "ONNX files are written by Python, but %.200s cannot be started: %s; " REMEDY, argv[0],
           strerror(failed));
  return -1;
}

/* All that comes, of which the text keeps the beginning, without the end of its last line. */
static void read_text(int fd, char *text, size_t size) {
  char more[512];
  size_t n = 0;
  ssize_t got;
  while ((got = read(fd, more, sizeof more)) > 0 || (got < 0 && errno == EINTR))
    for (ssize_t i = 0; i < got && n + 1 < size; i++) text[n++] = more[i];
  while (n > 0 && text[n - 1] == '\n') n--;
  text[n] = '\0';
}

/* Runs it; what it printed is the message of its failure. */
static trm_status run(char *const *argv, trm_error *err) {
  char text[sizeof err->msg];
  pid_t pid;
  int status;
  const int fd = start(argv, &pid, err);
  if (fd < 0) return err->code;
  read_text(fd, text, sizeof text);
  close(fd);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;

  /* Its exit codes are ours. */
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
  if (code == CLI_OK && WIFEXITED(status)) return TRM_OK;
  if (code == CLI_INTERRUPTED || cli_interrupted())
    return cli_fail(err, TRM_E_INTERRUPTED, -1, "stopped; nothing was written");
  if (!*text)
    snprintf(text, sizeof text, "%.200s, which writes ONNX files, ended with %s %d", argv[0],
             WIFEXITED(status) ? "exit code" : "signal",
             WIFEXITED(status) ? code : WTERMSIG(status));
  return cli_fail(err,
                  code == CLI_USAGE      ? TRM_E_CONFIG
                  : code == CLI_BAD_DATA ? TRM_E_FORMAT
                                         : TRM_E_SYSTEM,
                  -1, "%s", text);
}

trm_status onnx_file_write(const trm_model *model, const char *name, const char *out,
                           const char *graph, trm_dtype dtype, trm_error *err) {
  const char *python = getenv("TRM_PYTHON"), *temporary = getenv("TMPDIR");
  char folder[TRM_PATH_SIZE], file[TRM_PATH_SIZE + 16];
  if (!temporary || !*temporary) temporary = "/tmp";

  /* The model, in a folder that nobody else sees. */
  if (snprintf(folder, sizeof folder, "%s/trm-XXXXXX", temporary) >= (int)sizeof folder)
    return cli_fail(err, TRM_E_IO, -1, "TMPDIR: the path is too long");
  if (!mkdtemp(folder))
    return cli_fail(err, TRM_E_IO, -1, "%.300s: cannot make a folder for the model: %s", folder,
                    strerror(errno));
  snprintf(file, sizeof file, "%s/m.safetensors", folder);
  trm_status st = trm_model_export(model, file, TRM_FILE_SAFETENSORS, TRM_FLOAT32, err);

  /* The writer. */
  const char *argv[] = {python && *python ? python : "python3",
                        "-c",
                        program,
                        file,
                        out,
                        graph,
                        trm_dtype_name(dtype),
                        name,
                        NULL};
  if (st == TRM_OK) st = run((char *const *)argv, err);
  unlink(file);
  rmdir(folder);
  return st;
}
