/* What a client is told, as JSON. Nothing here blocks, keeps state or opens a file. */
#ifndef TRM_CLI_SERVE_ANSWERS_H
#define TRM_CLI_SERVE_ANSWERS_H

#include "cli/serve/requests.h"
#include "io/json.h"

/* What is known of a puzzle after a step. */
typedef struct serve_state {
  const trm_queue_answer *now;
  const int32_t *before; /* [seq_len] the answer after the step before; NULL: the question */
  double seconds;        /* since it was asked */
} serve_state;
/* JSON in a fresh block (trm__free); NULL: no memory. The answer ... */
char *serve_answer_json(const serve_model *m, const serve_ask *ask, const serve_puzzle *p,
                        const serve_state *s);
/* ... and a step on the way to it, */
char *serve_step_json(const serve_model *m, const serve_ask *ask, const serve_puzzle *p,
                      const serve_state *s);
/* which is an object. */
void serve_put_step(trm__json_out *o, const serve_model *m, const serve_ask *ask,
                    const serve_puzzle *p, const serve_state *s);
/* {"error": {"code": code, "message": text}} */
char *serve_error_json(int code, const char *text);
/* What a model takes, as members of an object. */
void serve_put_model(trm__json_out *o, const trm_model_config *c);
/* The grid that lies on a canvas, of a question or a label, as rows. */
void serve_put_rows(trm__json_out *o, const char *key, const trm_puzzle *p, const int32_t *tokens);
/* The models, as a list. */
char *serve_models_json(const serve_model *models, int n);

#endif
