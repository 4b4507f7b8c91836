/* See roles.h. */
#include "puzzle/roles.h"

#include <stdio.h>
#include <string.h>

const trm__role trm__roles[TRM__ROLES] = {
    {"question",
     {"question", "questions", "quiz", "quizzes", "puzzle", "puzzles", "problem", "sudoku", "grid",
      "givens", "unsolved", "input", "inputs"}},
    {"answer", {"answer", "answers", "solution", "solutions", "solved", "output", "outputs"}},
    {"rating", {"rating", "difficulty", "score"}}};

bool trm__role_name(const char *wanted, int role, int k, char name[TRM__ROLE_NAME]) {
  /* The user's own name is the field of the list at the role's place. */
  const char *usual = wanted ? NULL : trm__roles[role].names[k];
  for (int i = 0; wanted && i < role; i++) {
    wanted = strchr(wanted, ',');
    if (wanted) wanted++;
  }

  if (usual)
    snprintf(name, TRM__ROLE_NAME, "%s", usual);
  else if (wanted && k == 0)
    snprintf(name, TRM__ROLE_NAME, "%.*s", (int)strcspn(wanted, ","), wanted);
  else
    return false;
  return true;
}
