/* One table row per architecture: its names, what its latents and nets are, how one cycle of its
 * recursion goes, and what holds for it alone. docs/MODEL.md section 1 has the schedules. */
#include "nn/archs.h"

#include <string.h>

enum { Z_H = 0, Z_L = 1 };
#define BIT(i) ((uint16_t)(1u << (i)))

/* --- cycles --- */

/* n times z_L <- net(z_L + z_H + e); z_H <- net(z_H + z_L), by the last net there is. */
static int cycle_two(const trm__arch *a, int n, trm__step *out) {
  const uint16_t both = BIT(Z_H) | BIT(Z_L);
  for (int i = 0; i < n; i++) out[i] = (trm__step){0, Z_L, both, true};
  out[n] = (trm__step){(uint8_t)(a->n_nets - 1), Z_H, both, false};
  return n + 1;
}

/* n times z <- net(z + e); z <- net(z). */
static int cycle_single(const trm__arch *a, int n, trm__step *out) {
  (void)a;
  for (int i = 0; i < n; i++) out[i] = (trm__step){0, 0, BIT(0), true};
  out[n] = (trm__step){0, 0, BIT(0), false};
  return n + 1;
}

/* z_i <- net(all z + z_H + e) in turn; z_H <- net(z_H + all z). */
static int cycle_all(const trm__arch *a, int n, trm__step *out) {
  const uint16_t all = (uint16_t)(BIT(a->n_latents) - 1);
  for (int i = 0; i < n; i++)
    out[i] = (trm__step){0, (uint8_t)(1 + i % (a->n_latents - 1)), all, true};
  out[n] = (trm__step){0, Z_H, all, false};
  return n + 1;
}

/* z_H <- net(z_H + e). */
static int cycle_direct(const trm__arch *a, int n, trm__step *out) {
  (void)a, (void)n;
  out[0] = (trm__step){0, Z_H, BIT(Z_H), true};
  return 1;
}

/* --- the table --- */

#define LOW \
  { "L_level", "L_layers", offsetof(trm_model_config, L_layers) }
#define HIGH \
  { "H_level", "H_layers", offsetof(trm_model_config, H_layers) }
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
                      .nets = {LOW},
                      .n_nets = 1,
                      .cycle = cycle_two,
                      .continue_loss = true},
    [TRM_ARCH_HRM] = {.word = {"hrm", "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1"},
                      .classes = {{"HierarchicalReasoningModel_ACTV1", NULL}},
                      .defaults = {{"H_cycles", 2},
                                   {"L_cycles", 2},
                                   {"H_layers", 4},
                                   {"L_layers", 4},
                                   {"puzzle_emb_len", 0},
                                   {"no_ACT_continue", false}},
                      .latents = {{"z_H", "H_init"}, {"z_L", "L_init"}},
                      .n_latents = 2,
                      .nets = {LOW, HIGH},
                      .n_nets = 2,
                      .cycle = cycle_two,
                      .grad_steps = 2,
                      .fills_positions = true,
                      .continue_loss = true,
                      .lacks = "puzzle_emb_len no_ACT_continue"},
    [TRM_ARCH_SINGLEZ] = {.word = {"trm_singlez", "recursive_reasoning.trm_singlez@" PAPERS_CLASS},
                          .classes = {{PAPERS_CLASS, "trm_singlez"}},
                          .latents = {{"z_L", "L_init"}},
                          .n_latents = 1,
                          .nets = {LOW},
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
                        .nets = {LOW},
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
};
enum { N_ARCHS = sizeof archs / sizeof *archs };

const trm__arch *trm__arch_of(trm_arch arch) {
  return (unsigned)arch < N_ARCHS ? &archs[arch] : NULL;
}

int trm__net_layers(const trm__net *net, const trm_model_config *config) {
  return *(const int *)((const char *)config + net->offset);
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
