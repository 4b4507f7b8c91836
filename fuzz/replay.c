/* The main program of a fuzz target that is built without libFuzzer: gives it every file named by
 * the arguments, or lying in a folder so named, in the order of their names. Fails when there is
 * none: a corpus that is not found must not look like one that was replayed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "fuzz.h"

/* The input lies in a block of its own, so that a sanitizer sees a read beyond its end. */
static int replay_file(const char *path) {
  trm__map map;
  trm_error err;
  if (trm__map_open(path, &map, &err) != TRM_OK) {
    fprintf(stderr, "%s\n", err.msg);
    return -1;
  }
  uint8_t *copy = malloc(map.size ? map.size : 1);
  FUZZ_CHECK(copy);
  for (size_t i = 0; i < map.size; i++) copy[i] = map.data[i];
  printf("%s\n", path);
  fflush(stdout); /* the last line of a crash says which */
  (void)LLVMFuzzerTestOneInput(copy, map.size);
  free(copy);
  trm__map_close(&map);
  return 1;
}

/* Files replayed, or -1. */
static int replay_folder(const char *path) {
  struct dirent **names;
  const int n = scandir(path, &names, NULL, alphasort);
  int count = n < 0 ? -1 : 0;
  for (int i = 0; i < n; i++) {
    if (count >= 0 && names[i]->d_name[0] != '.') {
      char *file = trm__path_join(path, names[i]->d_name);
      FUZZ_CHECK(file);
      count = replay_file(file) < 0 ? -1 : count + 1;
      free(file);
    }
    free(names[i]);
  }
  if (n >= 0) free(names);
  return count;
}

int main(int argc, char **argv) {
  int count = 0;
  for (int i = 1; i < argc; i++) {
    const int n = trm__path_is_dir(argv[i]) ? replay_folder(argv[i]) : replay_file(argv[i]);
    if (n < 0) return EXIT_FAILURE;
    count += n;
  }
  printf("%d inputs\n", count);
  if (count == 0) fprintf(stderr, "%s: no inputs to replay\n", argv[0]);
  return count ? EXIT_SUCCESS : EXIT_FAILURE;
}
