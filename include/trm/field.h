/* Fields of configurations by name: for programs that read settings from a file, a command line or
 * another language, and for lists of what can be set. trm/model.h and trm/trainer.h have those of
 * models and training.
 *
 * Structures by name: for another language, which then fills what a function takes and reads what
 * it gives without a copy of any structure's layout.
 *
 *   const trm_record *r = trm_record_named("trm_eval_report");
 *   void *report = malloc(trm_record_size(r));
 *   trm_evaluate(model, data, config, report, &err);
 *   trm_record_get(r, report, "step[3].accuracy", text, sizeof text, &err);
 *
 * Fields and records are constant tables of the library: the functions that take none of the
 * caller's structures may be called by any thread.
 */
#ifndef TRM_FIELD_H
#define TRM_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "trm/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trm_field trm_field;
typedef struct trm_record trm_record;

/* What a field is and may hold. The texts belong to the library. */
typedef struct trm_bounds {
  const char *name; /* as in the structure: "L_cycles" */
  const char *key;  /* as a setting of `trm train`: "arch.L_cycles"; NULL: it is none, as what
                       the data set tells */
  const char *type; /* "int", "float", "bool", "choice", "bytes" or "device"; of runs also
                       "int|null", "text|null" and "list", of records "text", "pointer" and
                       "record" */
  const char *help; /* NULL: none, as of records */
  double low, high; /* of numbers, themselves allowed unless above_low; equal: there is no bound
                       but the type's, as for a seed and all that is no number */
  bool above_low;   /* must be larger than low */
} trm_bounds;

TRM_API trm_bounds trm_field_bounds(const trm_field *field);
/* Word i of those that a choice knows; NULL after the last, and for other types. Some are followed
 * by a number, as in "last:4"; which, and its range, a refusal says. */
TRM_API const char *trm_field_choice(const trm_field *field, int i);
/* Values side by side: more than 1 for an array, of a text its bytes with the end. */
TRM_API int trm_field_count(const trm_field *field);
/* The structure that a field of type "record" is; NULL for other types. */
TRM_API const trm_record *trm_field_record(const trm_field *field);

/* The structures that go between a program and solvers, queues, trainers, runs, evaluations and
 * data sets: "trm_solver_config", "trm_eval_report" and so on. The i-th; NULL after the last. */
TRM_API const trm_record *trm_record_at(int i);
/* NULL when there is none of that name. */
TRM_API const trm_record *trm_record_named(const char *structure);
TRM_API const char *trm_record_name(const trm_record *record);
TRM_API size_t trm_record_size(const trm_record *record);
/* Field i, in the order of the structure or of its configuration's table; NULL after the last. */
TRM_API const trm_field *trm_record_field(const trm_record *record, int i);
/* A structure as its trm_..._config_default says (a model's: of the architecture in `arch`, where
 * there is one by that number), else all zero. `object` holds trm_record_size bytes. */
TRM_API void trm_record_default(const trm_record *record, void *object);

/* A field of a structure by its path: its name; in a structure within, "puzzle.rows"; in an array
 * with its place, from 0, "step[3].accuracy".
 *
 * Values are texts, as for trm_model_config_set; an enumeration that has no names is its number,
 * and what is not finite "nan", "inf" or "-inf". Only what the type can hold is checked: the
 * function that takes a structure checks the rest. A call that fails changes nothing. Errors:
 * CONFIG for an unknown path and for no such value; ARGUMENT for pointers and whole structures, and
 * of get when `text` is too small. */
TRM_API trm_status trm_record_set(const trm_record *record, void *object, const char *path,
                                  const char *value, trm_error *err);
TRM_API trm_status trm_record_get(const trm_record *record, const void *object, const char *path,
                                  char *text, size_t size, trm_error *err);
/* Where it lies, for pointers and arrays: `offset` bytes from the start of the structure. Errors:
 * CONFIG. */
TRM_API trm_status trm_record_place(const trm_record *record, const char *path,
                                    const trm_field **field, size_t *offset, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
