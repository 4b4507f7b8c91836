/* One table row per architecture: its names, what its latents and nets are, how one cycle of its
 * recursion goes, and what holds for it alone. docs/MODEL.md section 1 has the schedules. */
#include "nn/archs.h"

#include <string.h>

enum { Z_H = 0, Z_L = 1 };
#define BIT(i) (1u << (i))

/* --- cycles --- */

/* n times z_L <- net(z_L + z_H + e); z_H <- net(z_H + z_L). */
static int cycle_two(int n_latents, int n, trm__step *out) {
  const uint32_t both = BIT(Z_H) | BIT(Z_L);
  (void)n_latents;
  for (int i = 0; i < n; i++) out[i] = (trm__step){.dst = Z_L, .src = both, .add_input = true};
  out[n] = (trm__step){.dst = Z_H, .src = both};
  return n + 1;
}

/* n times z <- net(z + e); z <- net(z). */
static int cycle_single(int n_latents, int n, trm__step *out) {
  (void)n_latents;
  for (int i = 0; i < n; i++) out[i] = (trm__step){.src = BIT(0), .add_input = true};
  out[n] = (trm__step){.src = BIT(0)};
  return n + 1;
}

/* z_i <- net(all z + z_H + e) in turn; z_H <- net(z_H + all z). */
static int cycle_all(int n_latents, int n, trm__step *out) {
  const uint32_t all = BIT(n_latents) - 1;
  for (int i = 0; i < n; i++)
    out[i] = (trm__step){.dst = (uint8_t)(1 + i % (n_latents - 1)), .src = all, .add_input = true};
  out[n] = (trm__step){.dst = Z_H, .src = all};
  return n + 1;
}

/* z_H <- net(z_H + e). */
static int cycle_direct(int n_latents, int n, trm__step *out) {
  (void)n_latents, (void)n;
  out[0] = (trm__step){.dst = Z_H, .src = BIT(Z_H), .add_input = true};
  return 1;
}

/* --- the table --- */

#define LOW \
  { "L_level", "L_layers", offsetof(trm_model_config, L_layers), 0 }
#define HIGH \
  { "H_level", "H_layers", offsetof(trm_model_config, H_layers), 0 }
/* As many layers as the first net, unless H_layers says how many. */
#define HIGH_AS_LOW                                              \
  {                                                              \
    "H_level", "H_layers", offsetof(trm_model_config, H_layers), \
        offsetof(trm_model_config, L_layers)                     \
  }
#define PAPERS_CLASS "TinyRecursiveReasoningModel_ACTV1"

/* Classes of the field are the same computation under the names of several repositories. One that
 * is shared is told apart by its file. */
static const trm__arch archs[] = {
    [TRM_ARCH_TRM] = {.word = {"trm", "recursive_reasoning.trm@" PAPERS_CLASS},
                      .classes = {{PAPERS_CLASS, "trm"},
                                  {"TRM", "trm"},       /* URM's copy */
                                  {"TRMModel", "trm"}}, /* EqR's */
                      .latents = {{"z_H", "H_init"}, {"z_L", "L_init"}},
                      .n_latents = 2,
                      .nets = {LOW, HIGH_AS_LOW},
                      .n_nets = 1,
                      .cycle = cycle_two,
                      .solvable = true,
                      .continue_loss = true},
    [TRM_ARCH_HRM] = {.word = {"hrm", "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1"},
                      .classes = {{"HierarchicalReasoningModel_ACTV1", NULL}},
                      .defaults = {{"H_cycles", 2},
                                   {"L_cycles", 2},
                                   {"H_layers", 4},
                                   {"L_layers", 4},
                                   {"puzzle_emb_len", 0},
                                   {"no_ACT_continue", false},
                                   {"nets", TRM_NETS_SEPARATE},
                                   {"grad", TRM_GRAD_ONE_STEP}},
                      .latents = {{"z_H", "H_init"}, {"z_L", "L_init"}},
                      .n_latents = 2,
                      .nets = {LOW, HIGH},
                      .n_nets = 2,
                      .cycle = cycle_two,
                      .solvable = true,
                      .fills_positions = true,
                      .continue_loss = true,
                      .lacks = "puzzle_emb_len no_ACT_continue"},
    [TRM_ARCH_SINGLEZ] = {.word = {"trm_singlez", "recursive_reasoning.trm_singlez@" PAPERS_CLASS},
                          .classes = {{PAPERS_CLASS, "trm_singlez"}},
                          .latents = {{"z_L", "L_init"}},
                          .n_latents = 1,
                          .nets = {LOW, HIGH_AS_LOW},
                          .n_nets = 1,
                          .cycle = cycle_single,
                          .continue_loss = true},
    [TRM_ARCH_HIER6] = {.word = {"trm_hier6", "recursive_reasoning.trm_hier6@" PAPERS_CLASS},
                        .classes = {{PAPERS_CLASS, "trm_hier6"}},
                        .latents = {{"z_H", "H_init"},
                                    {"z_L1", "L1_init"},
                                    {"z_L2", "L2_init"},
                                    {"z_L3", "L3_init"},
                                    {"z_L4", "L4_init"},
                                    {"z_L5", "L5_init"},
                                    {"z_L6", "L6_init"}},
                        .n_latents = 7,
                        .nets = {LOW, HIGH_AS_LOW},
                        .n_nets = 1,
                        .cycle = cycle_all,
                        .most_L_cycles = 6,
                        .continue_loss = true},
    [TRM_ARCH_TRANSFORMER] = {.word = {"transformers_baseline",
                                       "recursive_reasoning.transformers_baseline@Model_ACTV2"},
                              /* The second is URM's copy. */
                              .classes = {{"Model_ACTV2", NULL},
                                          {"HierarchicalReasoningModel_ACTV2", NULL}},
                              .defaults = {{"H_cycles", 1},
                                           {"L_cycles", 0},
                                           {"H_layers", 8},
                                           {"L_layers", 0},
                                           {"puzzle_emb_len", 0},
                                           {"no_ACT_continue", false}},
                              .latents = {{"z_H", "H_init"}},
                              .n_latents = 1,
                              .nets = {HIGH},
                              .n_nets = 1,
                              .cycle = cycle_direct,
                              .once = true,
                              .fills_positions = true,
                              .lacks = "L_cycles forward_dtype puzzle_emb_len no_ACT_continue"},
#define Z(i) \
  { "z_L" #i, "L" #i "_init" }
#define Z4(i, j, k, l) Z(i), Z(j), Z(k), Z(l)
    [TRM_ARCH_HIER] = {.word = {"trm_hier", NULL},
                       .latents = {{"z_H", "H_init"},
                                   Z4(1, 2, 3, 4),
                                   Z4(5, 6, 7, 8),
                                   Z4(9, 10, 11, 12),
                                   Z4(13, 14, 15, 16)},
                       .n_latents = 17,
                       .latent_per_update = true,
                       .nets = {LOW, HIGH_AS_LOW},
                       .n_nets = 1,
                       .cycle = cycle_all,
                       .most_L_cycles = 16,
                       .continue_loss = true},
};
enum { N_ARCHS = sizeof archs / sizeof *archs };
_Static_assert(TRM__MAX_LATENTS >= 17, "trm_hier has so many");

const trm__arch *trm__arch_of(trm_arch arch) {
  return (unsigned)arch < N_ARCHS ? &archs[arch] : NULL;
}

int trm__n_nets(const trm__arch *a, const trm_model_config *config) {
  return config->nets == TRM_NETS_SEPARATE && a->nets[1].prefix ? 2 : 1;
}

int trm__n_latents(const trm__arch *a, const trm_model_config *config) {
  return a->latent_per_update ? 1 + config->L_cycles : a->n_latents;
}

const char *trm_model_latent(const trm_model_config *config, int i) {
  const trm__arch *a = trm__arch_of(config->arch);
  return !a || i < 0 || i >= trm__n_latents(a, config) ? NULL : a->latents[i].name;
}

int trm__net_layers(const trm__net *net, const trm_model_config *config) {
  const char *base = (const char *)config;
  const int layers = *(const int *)(base + net->offset);
  return layers || !net->otherwise ? layers : *(const int *)(base + net->otherwise);
}

/* --- names --- */

/* "FOLDER.FILE@CLASS" or "FOLDER/FILE@CLASS": folders are free. */
static bool is_class(const char *name, const char *class_name, const char *class_file) {
  const char *at = strrchr(name, '@');
  if (!at || strcmp(at + 1, class_name) != 0) return false;
  const char *file = at;
  while (file > name && file[-1] != '.' && file[-1] != '/') file--;
  const size_t n = (size_t)(at - file);
  return !class_file || (strlen(class_file) == n && !memcmp(file, class_file, n));
}

static bool read_class(const char *name, int *value) {
  enum { N_CLASSES = sizeof archs->classes / sizeof *archs->classes };
  for (int i = 0; i < N_ARCHS; i++)
    for (int k = 0; k < N_CLASSES && archs[i].classes[k].name; k++)
      if (is_class(name, archs[i].classes[k].name, archs[i].classes[k].file)) {
        *value = i;
        return true;
      }
  return false;
}

const trm__words trm__arch_words = TRM__WORDS(archs, read_class);

TRM__WORDS_FUNCTIONS(trm_arch, trm__arch_words)

const char *trm_arch_class_name(trm_arch arch) {
  const char *class_name = trm__words_alias(&trm__arch_words, (int)arch);
  return class_name ? class_name : trm_arch_name(arch);
}

bool trm_arch_names_field(trm_arch arch, const char *field) {
  const trm__arch *a = trm__arch_of(arch);
  return !a || !trm__word_is_listed(field, a->lacks);
}

/* How many nets and latents all of which are there; 0 when one is not. */
static int count_parts(const trm__arch *a, bool has(const void *, const char *),
                       const void *tensors) {
  for (int i = 0; i < a->n_latents; i++)
    if (!has(tensors, a->latents[i].init)) return 0;
  for (int i = 0; i < a->n_nets; i++)
    if (!has(tensors, a->nets[i].prefix)) return 0;
  return a->n_latents + a->n_nets;
}

bool trm_arch_of_tensors(bool has(const void *tensors, const char *part), const void *tensors,
                         trm_arch *out) {
  int most = 0;
  for (int i = 0; i < N_ARCHS; i++) {
    const int n = count_parts(&archs[i], has, tensors);
    if (n <= most) continue;
    most = n;
    *out = (trm_arch)i;
  }
  return most > 0;
}
