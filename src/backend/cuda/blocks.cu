/* Blocks by their kind: sizes, packing, and the two directions. See blocks.cuh. */
#include "blocks.cuh"

#include <type_traits>

/* In the order of trm__block_kind; NULL: a GPU has none. */
static const Kind *const kinds[TRM__BLOCK_KINDS] = {&attention_kind, &mixer_kind, &mlp_kind,
                                                    &experts_t_kind, &experts_kind};

template <class T>
static const KindOf<T> &kind_of(trm__block_kind kind) {
  if constexpr (std::is_same<T, bf16>::value)
    return kinds[kind]->halves;
  else
    return kinds[kind]->floats;
}

static int64_t reals(const trm__carver &c) {
  return c.most / (int64_t)sizeof(real);
}

bool block_known(trm__block_kind kind) {
  return kinds[kind] != NULL;
}

static void count(const CudaBackend *c, trm__block_kind kind, int b, trm__carver *saved,
                  trm__carver *shared, bool backward) {
  const auto carves = is_bf16(&c->base) ? kind_of<bf16>(kind).count : kind_of<float>(kind).count;
  carves(c, b, saved, shared, backward);
}
/* For a tile of one row: what larger tiles need is at most as much per row. */
int64_t block_saved(const CudaBackend *c, trm__block_kind kind) {
  trm__carver saved = {}, shared = {};
  count(c, kind, 1, &saved, &shared, false);
  return reals(saved);
}
int64_t block_shared(const CudaBackend *c, trm__block_kind kind, int b, bool training) {
  trm__carver saved = {}, shared = {};
  count(c, kind, b, &shared, &shared, false); /* all of it, when nothing is kept */
  trm__carve_anew(&shared);
  if (training) count(c, kind, b, &saved, &shared, true);
  return reals(shared);
}

void block_packed(const CudaBackend *c, trm__block_kind kind, int64_t *forward, int64_t *backward) {
  const KindOf<bf16> &k = kind_of<bf16>(kind);
  const PackedSizes sizes = k.packed ? k.packed(c) : PackedSizes{0, 0};
  *forward = sizes.forward;
  *backward = sizes.backward;
}
void block_pack(CudaBackend *c, const BlockWeights *w, const trm__block *blk, const real *params) {
  const KindOf<bf16> &k = kind_of<bf16>(blk->kind);
  if (k.pack) k.pack(c, w, blk, params);
}

static trm__carver carver(real *memory) {
  return {reinterpret_cast<unsigned char *>(memory), 0, 0};
}

template <class T>
static void forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                    real *saved, real *shared) {
  const BlockWeights *w = &c->weights[blk - c->base.blocks];
  trm__carver kept = carver(saved), own = carver(shared);
  kind_of<T>(blk->kind).forward(c, w, b, reinterpret_cast<const T *>(x), reinterpret_cast<T *>(y),
                                saved ? &kept : &own, &own);
}
void block_forward(CudaBackend *c, const trm__block *blk, int b, const real *x, real *y,
                   real *saved, const trm__workspace *ws) {
  c->block = blk;
  c->routing = ws->routing;
  c->places = ws->places;
  (is_bf16(&c->base) ? forward<bf16> : forward<float>)(c, blk, b, x, y, saved, ws->shared);
  c->routing = NULL; /* they were of this call */
  c->places = NULL;
}

template <class T>
static void backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                     real *saved, real *dh, real *const *dw, bool accumulate, real *shared) {
  const BlockWeights *w = &c->weights[blk - c->base.blocks];
  trm__carver kept = carver(saved), own = carver(shared);
  kind_of<T>(blk->kind).backward(c, w, b, reinterpret_cast<const T *>(x),
                                 reinterpret_cast<const T *>(y), reinterpret_cast<T *>(dh), dw,
                                 accumulate, &kept, &own);
}
void block_backward(CudaBackend *c, const trm__block *blk, int b, const real *x, const real *y,
                    real *saved, real *dh, real *const *dw, bool accumulate,
                    const trm__workspace *ws) {
  c->block = blk;
  c->routing = ws->routing;
  c->places = ws->places;
  (is_bf16(&c->base) ? backward<bf16> : backward<float>)(c, blk, b, x, y, saved, dh, dw, accumulate,
                                                         ws->shared);
  c->routing = NULL;
  c->places = NULL;
}
