/* What a client asks, from JSON. The bodies are whatever a stranger sent; nothing here blocks,
 * keeps state or opens a file. */
#ifndef TRM_CLI_SERVE_REQUESTS_H
#define TRM_CLI_SERVE_REQUESTS_H

#include "cli/cli.h"

/* A model that can be asked. */
typedef struct serve_model {
  const char *name, *about;       /* about: one line for people */
  const trm_model_config *config; /* whose puzzles have a text */
} serve_model;

/* The members of a request, in one table, by which it is read, and described to others. */
typedef enum serve_kind {
  SERVE_PUZZLE,  /* a text or an array of rows */
  SERVE_PUZZLES, /* an array of these */
  SERVE_MODEL,   /* a text, the name of one */
  SERVE_WORD,    /* a text that is one of `words` */
  SERVE_WHOLE,   /* from 0 to `most` */
  SERVE_REAL,
  SERVE_BOOL
} serve_kind;
enum { SERVE_OF_ONE = 1, SERVE_OF_MANY = 2, SERVE_OF_BOTH = 3 }; /* requests for puzzles */
typedef struct serve_member {
  const char *name; /* NULL: behind the last */
  int of;
  serve_kind kind;
  size_t at; /* in what is read; requests.c only */
  int64_t most;
  const char *const *words; /* ended by NULL */
  const char *about;
} serve_member;
extern const serve_member serve_members[];

typedef struct serve_puzzle {
  int32_t *tokens; /* [seq_len] of the model */
  char *problem;   /* of malloc: why it is no puzzle of the model's; NULL */
  bool as_rows;    /* it came as an array of rows, and so is its answer to be */
  char *answer;    /* of trm__alloc: JSON, once there is one */
} serve_puzzle;

/* A request, understood. */
typedef struct serve_ask {
  int model;               /* of the models that there are */
  bool many;               /* its answer is a list, also of one */
  bool confidence, stream; /* of each cell; an event for each step */
  bool latents;            /* what each reads as */
  trm_queue_puzzle how;    /* options of all its puzzles */
  int n;
  serve_puzzle *puzzles; /* [n] */
  int32_t *tokens;       /* [n, seq_len] */
} serve_ask;

/* One puzzle ("puzzle") or, with `most` above 0, up to so many ("puzzles"), of which those that are
 * none are told beside the others. Where no model is named it is the first that takes the (first)
 * puzzle, or the one that can best say what is wrong with it. Errors: FORMAT, RANGE, PUZZLE,
 * ARGUMENT with what was expected and where; MEMORY. */
trm_status serve_ask_read(const serve_model *models, int n_models, int most, const char *text,
                          size_t n, serve_ask *out, trm_error *err);
/* A value of a query as it was meant, in its place: %HH is a byte, + a space, '?' what no text has.
 * False for a '%' without its byte, and for one of zero. */
bool serve_unescape(char *value);
/* Its puzzles alone, when nobody asks for them any more. */
void serve_ask_free_puzzles(serve_ask *ask);
void serve_ask_free(serve_ask *ask); /* a zeroed one is fine */

#endif
