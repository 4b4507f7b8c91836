/* What the ids of puzzles mean: the names in identifiers.json, by a number that differs between
 * lists that are not the same. */
#ifndef TRM_DATA_IDENTITY_H
#define TRM_DATA_IDENTITY_H

#include "base/error.h"
#include "trm/dataset.h"

/* The fingerprint of a list in the making: begin with zeros, add each name in the order of the ids.
 * The number, never 0, is that of the names alone, however a file writes them. */
typedef struct trm__identity {
  uint64_t hash;
  char part[8]; /* n bytes of the next word */
  size_t n;
} trm__identity;
void trm__identity_add(trm__identity *identity, const char *name, size_t n);
uint64_t trm__identity_number(const trm__identity *identity);
/* Of DIR/identifiers.json, in one pass over the mapped file and without memory for names; 0 where
 * there is no such file. Errors: IO; FORMAT with the byte (err->pos, too). */
trm_status trm__identity_read(const char *dir, uint64_t *identity, trm_error *err);
/* Kind, sizes and symbols, where both are known: SHAPE with what differs, by the names given. */
trm_status trm__puzzles_agree(const char *a_name, const trm_puzzle *a, const char *b_name,
                              const trm_puzzle *b, trm_error *err);
/* Sizes and meaning of tokens: SHAPE with what differs. */
trm_status trm__data_fit(const trm_model_config *model, const trm_dataset_info *data,
                         trm_error *err);

#endif
