/* Routers of mixtures of experts, one token at a time, in double (docs/MODEL.md section 6): which
 * experts it takes and with which gates, what it tells of their load, and the way back. Written
 * once for every device (base/philox.h). */
#ifndef TRM_KERNELS_ROUTE_H
#define TRM_KERNELS_ROUTE_H

#include <math.h>
#include <stdbool.h>

#include "base/philox.h"
#include "base/rng.h"
#include "trm/model.h"

enum { TRM__MAX_EXPERTS = 19, TRM__MAX_CHOSEN = 2 };

/* A mixture of experts in place of a SwiGLU. */
typedef struct trm__experts {
  trm_router router; /* NONE: there is one SwiGLU for all tokens */
  int n, chosen;     /* experts; how many of them a token goes through */
  int width;         /* of each, in units of SwiGLU */
} trm__experts;

/* What a router makes of a token h: its logits are r = clean + noise * softplus(spread), with
 * clean = h W_r^T and, of noisy ones, spread = h W_n^T and noise from N(0, 1). */
typedef struct trm__logits {
  double clean[TRM__MAX_EXPERTS], spread[TRM__MAX_EXPERTS], noise[TRM__MAX_EXPERTS];
  bool noisy; /* else spread and noise are not looked at */
} trm__logits;

/* The experts of a token, best first, equal ones by their number; the rest of the logits. */
typedef struct trm__route {
  int expert[TRM__MAX_CHOSEN];
  double gate[TRM__MAX_CHOSEN];
  double r[TRM__MAX_EXPERTS], p[TRM__MAX_EXPERTS]; /* logits; of a switch their softmax */
  double width[TRM__MAX_EXPERTS];                  /* of the noise: softplus(spread) */
  int next;                                        /* the best that was not chosen */
} trm__route;

/* The noise of an update: the n values of a token, in application a on row r of the batch, are two
 * by two the blocks token * ceil(n / 2) and on of the sequence
 * (seed, TRM__RNG_ROUTE, first + a, row + r). */
typedef struct trm__noise {
  uint64_t seed, first;
  int64_t row;
} trm__noise;
TRM__EVERYWHERE void trm__route_noise(const trm__noise *key, int64_t application, int64_t row,
                                      int token, int n, double *noise) {
  const int pairs = (n + 1) / 2;
  for (int i = 0; i < pairs; i++) {
    double v[2];
    trm__philox_normals(
        trm__philox((uint32_t)key->seed, (uint32_t)(key->seed >> 32),
                    trm__philox_counter(TRM__RNG_ROUTE, key->first + (uint64_t)application,
                                        (uint32_t)(key->row + row), (uint32_t)(token * pairs + i))),
        v);
    noise[2 * i] = v[0];
    if (2 * i + 1 < n) noise[2 * i + 1] = v[1];
  }
}

/* log(1 + e^x), and its derivative. */
TRM__EVERYWHERE double trm__softplus(double x) {
  return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
TRM__EVERYWHERE double trm__logistic(double x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* The largest of n logits but for those that are taken (a set); the first of equal ones, and one
 * of them even where they are NaN. */
TRM__EVERYWHERE int trm__route_best(int n, const double *r, unsigned taken) {
  int best = -1;
  for (int i = 0; i < n; i++)
    if (!(taken >> i & 1) && (best < 0 || r[i] > r[best])) best = i;
  return best;
}

/* p = softmax(r) */
TRM__EVERYWHERE void trm__route_softmax(int n, const double *r, double most, double *p) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += p[i] = exp(r[i] - most);
  for (int i = 0; i < n; i++) p[i] /= sum;
}

TRM__EVERYWHERE trm__route trm__route_of(const trm__experts *x, const trm__logits *l) {
  trm__route t;
  unsigned taken = 0;
  for (int k = 0; k < TRM__MAX_CHOSEN; k++) t.gate[k] = t.expert[k] = 0;
  for (int i = 0; i < x->n; i++) {
    t.width[i] = l->noisy ? trm__softplus(l->spread[i]) : 0;
    t.r[i] = l->clean[i] + (l->noisy ? l->noise[i] * t.width[i] : 0);
  }

  /* The best ones, and the one after them. */
  for (int k = 0; k < x->chosen; k++) {
    t.expert[k] = trm__route_best(x->n, t.r, taken);
    taken |= 1u << t.expert[k];
  }
  t.next = trm__route_best(x->n, t.r, taken);

  /* Gates: the best one's probability, or the softmax of those that were chosen. */
  if (x->router == TRM_ROUTER_SWITCH) {
    trm__route_softmax(x->n, t.r, t.r[t.expert[0]], t.p);
    t.gate[0] = t.p[t.expert[0]];
  } else {
    t.gate[0] = trm__logistic(t.r[t.expert[0]] - t.r[t.expert[1]]);
    t.gate[1] = 1 - t.gate[0];
  }
  return t;
}

TRM__EVERYWHERE bool trm__route_takes(const trm__experts *x, const trm__route *t, int expert) {
  bool takes = false;
  for (int k = 0; k < x->chosen; k++) takes |= t->expert[k] == expert;
  return takes;
}

/* With other noise of its own, expert i would be among the chosen with probability Phi(z), z =
 * (clean - threshold) / width; the threshold is the logit of an expert that i competes with. */
TRM__EVERYWHERE int trm__route_rival(const trm__experts *x, const trm__route *t, int i) {
  return trm__route_takes(x, t, i) ? t->next : t->expert[x->chosen - 1];
}
TRM__EVERYWHERE double trm__route_score(const trm__experts *x, const trm__logits *l,
                                        const trm__route *t, int i) {
  return (l->clean[i] - t->r[trm__route_rival(x, t, i)]) / t->width[i];
}

/* Adds what the token tells of each expert to told[2 n]. A switch: whether it goes there, and the
 * probability that it does. Noisy ones: its gate, and the load Phi(z), or 1 where it goes without
 * noise. */
TRM__EVERYWHERE void trm__route_tell(const trm__experts *x, const trm__logits *l,
                                     const trm__route *t, double *told) {
  for (int k = 0; k < x->chosen; k++)
    told[t->expert[k]] += x->router == TRM_ROUTER_SWITCH ? 1 : t->gate[k];
  for (int i = 0; i < x->n; i++)
    told[x->n + i] += x->router == TRM_ROUTER_SWITCH ? t->p[i]
                      : l->noisy
                          ? 0.5 * (1 + erf(trm__route_score(x, l, t, i) * 0.70710678118654752))
                          : trm__route_takes(x, t, i);
}

/* The loss changes by d_gate[k] per gate and by slope[2 n] per figure that is told (NULL: not at
 * all): what it changes by per value of clean[n] and of spread[n]. */
TRM__EVERYWHERE void trm__route_grad(const trm__experts *x, const trm__logits *l,
                                     const trm__route *t, const double *d_gate, const double *slope,
                                     double *d_clean, double *d_spread) {
  double d_r[TRM__MAX_EXPERTS], d_width[TRM__MAX_EXPERTS];
  for (int i = 0; i < x->n; i++) d_r[i] = d_clean[i] = d_width[i] = 0;

  /* Through the gates, and what is told of them. */
  if (x->router == TRM_ROUTER_SWITCH) {
    double mean = d_gate[0] * t->gate[0];
    for (int i = 0; i < x->n && slope; i++) mean += slope[x->n + i] * t->p[i];
    for (int i = 0; i < x->n; i++)
      d_r[i] =
          t->p[i] * ((slope ? slope[x->n + i] : 0) + (i == t->expert[0] ? d_gate[0] : 0) - mean);
  } else {
    const int a = t->expert[0], b = t->expert[1];
    const double d =
        t->gate[0] * t->gate[1] * (d_gate[0] - d_gate[1] + (slope ? slope[a] - slope[b] : 0));
    d_r[a] = d;
    d_r[b] = -d;
  }

  /* Through the load. Far out, where nothing changes, the width may be zero. */
  for (int i = 0; i < x->n && slope && l->noisy; i++) {
    const double z = trm__route_score(x, l, t, i);
    const double density = 0.39894228040143268 * exp(-0.5 * z * z);
    if (!(density > 0)) continue;
    const double d = slope[x->n + i] * density / t->width[i];
    d_clean[i] += d;
    d_r[trm__route_rival(x, t, i)] -= d;
    d_width[i] -= d * z;
  }

  /* r = clean + noise * softplus(spread) */
  for (int i = 0; i < x->n; i++) {
    d_clean[i] += d_r[i];
    if (l->noisy) d_spread[i] = (d_r[i] * l->noise[i] + d_width[i]) * trm__logistic(l->spread[i]);
  }
}

/* The auxiliary loss of `tokens` tokens that told[2 n] in all, and its slopes, times `weight`. A
 * switch (Fedus et al. 2022): n sum of f_i P_i, shares of tokens times mean probabilities; f has no
 * slope. Noisy ones (Shazeer et al. 2017): CV^2 of the gates plus CV^2 of the loads, of which each
 * is the variance over the experts by the squared mean. */
TRM__EVERYWHERE double trm__route_balance(const trm__experts *x, double tokens, const double *told,
                                          double weight, double *slope) {
  const int n = x->n;
  double loss = 0;
  if (x->router == TRM_ROUTER_SWITCH) {
    for (int i = 0; i < n; i++) {
      loss += n * (told[i] / tokens) * (told[n + i] / tokens);
      slope[i] = 0;
      slope[n + i] = weight * n * (told[i] / tokens) / tokens;
    }
    return loss;
  }

  for (int part = 0; part < 2; part++) {
    const double *v = told + part * n;
    double mean = 0, variance = 0;
    for (int i = 0; i < n; i++) mean += v[i] / n;
    for (int i = 0; i < n; i++) variance += (v[i] - mean) * (v[i] - mean) / n;

    /* d variance = 2 (v - mean) / n, d mean^2 = 2 mean / n */
    const double square = mean * mean + 1e-10;
    loss += variance / square;
    for (int i = 0; i < n; i++)
      slope[part * n + i] = weight * 2 / (n * square) * (v[i] - mean - variance / square * mean);
  }
  return loss;
}

#endif
