/* Builds of ARC data sets whose bytes are known. */
#ifndef TRM_TESTS_ARC_BUILDS_H
#define TRM_TESTS_ARC_BUILDS_H

#include "arc_files.h"
#include "trm.h"

enum { FILES = 14 };

/* What to build, and the CRC-32 of each of the files of a data set. */
typedef struct known_build {
  const char *subsets, *test;
  int num_aug;
  uint64_t seed;
  uint32_t crc[FILES];
  int canvas;
} known_build;

static const known_build small[] = {
    {"a,b,c",
     "b",
     4,
     3,
     {0x8a9740e6, 0x5c9e4462, 0xe1f04595, 0xf440702d, 0x8e3e914e, 0x8fa09796, 0x851ef138,
      0x69b8c065, 0xf5541c39, 0x5fcd0af7, 0xbe0660a3, 0x789cedb5, 0x0f0071d6, 0x7bb8eda2},
     0},
    {"b,c",
     "b",
     9,
     0,
     {0x3d68eaf7, 0x789f4ff1, 0x4f0c6749, 0x616723c2, 0xda1ea616, 0xffc3f4c2, 0x7d903e00,
      0x0135e5e3, 0xac083dcc, 0x59a810b7, 0xb0fa1e40, 0x50ef35eb, 0x8c62c0b0, 0xcdf469c5},
     0},
    {"a,c",
     "c",
     0,
     99,
     {0xd04438bc, 0xa9bdec02, 0xced1e058, 0x2d60cd7b, 0x4ae4a1aa, 0xa9bdec02, 0xc5053ddd,
      0xa1fec046, 0x6365fc35, 0xd51dafd3, 0x08bfcc3b, 0x5c950fb8, 0x48c326a2, 0xb42270ea},
     0}};

static inline trm_status build(const known_build *k, const char *prefix, const char *dir,
                               bool compact, int threads, trm_arc_build_report *report,
                               trm_error *err) {
  /* Subsets are written with commas between. */
  char text[200];
  const char *names[8];
  int n = 0;
  snprintf(text, sizeof text, "%s", k->subsets);
  for (char *next = text; next; n++) {
    names[n] = next;
    next = strchr(next, ',');
    if (next) *next++ = 0;
  }

  const trm_arc_build_config config = {.input_prefix = prefix,
                                       .subsets = names,
                                       .n_subsets = n,
                                       .test_set_name = k->test,
                                       .output_dir = dir,
                                       .num_aug = k->num_aug,
                                       .canvas = k->canvas,
                                       .seed = k->seed,
                                       .compact = compact,
                                       .threads = threads};
  return trm_build_arc(&config, report, err);
}

static inline void build_well(const known_build *k, const char *prefix, const char *dir,
                              bool compact, int threads, trm_arc_build_report *report) {
  trm_error err;
  if (build(k, prefix, dir, compact, threads, report, &err) != TRM_OK) fail_msg("%s", err.msg);
}

#endif
