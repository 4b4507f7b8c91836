/* The table of kinds, and what is asked of it by name. */
#include "puzzle/kind.h"

/* Tokens are only numbers. */
const trm__puzzle_kind trm__kind_none = {.name = "none", .facts = {.title = "unknown"}};

#define TABLE_ROW(NAME, row) [TRM_PUZZLE_##NAME] = &trm__kind_##row,
const trm__puzzle_kind *const trm__kinds[TRM_PUZZLE_KINDS] = {TRM__PUZZLE_KINDS(TABLE_ROW)};

bool trm__kind_knows(const trm_puzzle *p) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  return !kind->known || kind->known(p);
}

const char *trm__kind_symmetries(const trm_puzzle *p) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  return kind->facts.declared ? p->symmetries : kind->symmetries;
}

const char *trm_puzzle_kind_name(trm_puzzle_kind kind) {
  return (unsigned)kind < TRM_PUZZLE_KINDS ? trm__kinds[kind]->name : NULL;
}

const trm_puzzle_facts *trm_puzzle_facts_of(const trm_puzzle *p) {
  return &trm__kind_of(p)->facts;
}
