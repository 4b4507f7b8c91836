/* Pointers: small text files that name a checkpoint beside them. RUN/best says "step_25", and
 * whoever names RUN/best means RUN/step_25. Unlike a link, a pointer survives every copy, archive
 * and file system. */
#ifndef TRM_BASE_POINTER_H
#define TRM_BASE_POINTER_H

#include <stdint.h>

#include "base/folder.h"

/* The N of "step_N", -1 for any other name. */
int64_t trm__step_of_name(const char *name);
/* What the file `name` in the folder names; -1 when it is absent or no pointer. A link to step_N,
 * as older runs have it, is read as a pointer and not followed. */
trm_status trm__pointer_read(const trm__dir *d, const char *name, int64_t *step, trm_error *err);
/* Makes it name step_N, in place of a file or link. */
trm_status trm__pointer_write(const trm__dir *d, const char *name, int64_t step, trm_error *err);
/* *target, a fresh block: `path`, or where it leads when a part of it is a pointer: RUN/best is
 * RUN/step_25, and RUN/best/model.safetensors the file in it. */
trm_status trm__pointer_follow(const char *path, char **target, trm_error *err);

#endif
