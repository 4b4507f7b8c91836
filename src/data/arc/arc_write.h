/* The files of an ARC data set folder, byte for byte as the reference writes them. */
#ifndef TRM_DATA_ARC_WRITE_H
#define TRM_DATA_ARC_WRITE_H

#include "base/team.h"
#include "data/arc/arc_draw.h"
#include "trm/dataset.h"

/* What all files of a folder share. */
typedef struct trm__arc_writing {
  const char *folder;
  const trm__arc_drawn *drawn;
  trm__pool *pool;
  trm_progress_fn *progress; /* NULL: none */
  void *progress_arg;
  int64_t done, total; /* examples, for the progress */
} trm__arc_writing;

/* FOLDER/NAME with every example; INTERRUPTED when the progress says stop. */
trm_status trm__arc_write_split(trm__arc_writing *w, const char *name, const trm__arc_split *s,
                                trm_error *err);
/* FOLDER/NAME in the compact form (data/arc_compact.h). */
trm_status trm__arc_write_compact(trm__arc_writing *w, const char *name, const trm__arc_split *s,
                                  trm_error *err);
trm_status trm__arc_write_identifiers(const trm__arc_writing *w, trm_error *err);
/* test_puzzles.json: the tasks of the test set with their outputs; `test` NULL: none. */
trm_status trm__arc_write_tasks(const trm__arc_writing *w, const trm__arc_tasks *test,
                                trm_error *err);

#endif
