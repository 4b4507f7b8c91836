/* Fields of a configuration as members of a JSON object: whole numbers with a sign, of up to 64
 * bits, numbers, booleans and words. No table that is kept as JSON has a field of another form. */
#ifndef TRM_IO_FIELD_JSON_H
#define TRM_IO_FIELD_JSON_H

#include "base/field.h"
#include "io/json.h"

void trm__field_put_json(trm__json_out *o, const char *key, const trm_field *f, const void *base);
/* object[f->name]; whether that is in its range, trm__fields_check says. Errors, which name `path`
 * and field: FORMAT when it is absent or of another type, CONFIG when it is no word or whole number
 * of the field. */
trm_status trm__field_from_json(const trm__json *object, const char *path, const trm_field *f,
                                void *base, trm_error *err);

#endif
