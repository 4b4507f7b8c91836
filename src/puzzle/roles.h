/* What the columns of a table, and the members of an object in JSON, are for, and how they are
 * called. */
#ifndef TRM_PUZZLE_ROLES_H
#define TRM_PUZZLE_ROLES_H

#include <stdbool.h>

enum { TRM__QUESTION, TRM__ANSWER, TRM__RATING, TRM__ROLES };

/* The usual names, the likeliest first, ended by NULL; who calls one by the first has no other. */
enum { TRM__ROLE_NAMES = 14 };
typedef struct trm__role {
  const char *role, *names[TRM__ROLE_NAMES];
} trm__role;
extern const trm__role trm__roles[TRM__ROLES];

/* The k-th name that what is for a role may have. `wanted`: QUESTION[,ANSWER[,RATING]], what the
 * user calls them, one name each; NULL: the usual ones. False behind the last. */
enum { TRM__ROLE_NAME = 64 };
bool trm__role_name(const char *wanted, int role, int k, char name[TRM__ROLE_NAME]);

#endif
