/* The trm program: finds the command and hands over the rest of the line. */
#include <string.h>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "cli.h"

typedef struct command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *about;
} command;

static const command commands[] = {
    {"train", cmd_train, "train a model and keep checkpoints in a run folder"},
    {"eval", cmd_eval, "measure a model on a data set"},
    {"solve", cmd_solve, "solve puzzles given as text"},
    {"info", cmd_info, "describe a model, a run or a data set"},
    {"data", cmd_data, "build or generate data sets"},
    {"finetune", cmd_finetune, "teach a model new ARC tasks, and answer them"},
    {"arc", cmd_arc, "count and score answers to ARC tasks"},
    {"convert", cmd_convert, "models from and to torch files and single files"},
    {"bench", cmd_bench, "measure speed, and what limits it"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *f) {
  fputs(
      "trm: Tiny Recursive Models - train, evaluate and solve\n\n"
      "Usage: trm COMMAND [arguments]\n       trm help [COMMAND [ACTION ...]]\n       trm "
      "--version\n\n"
      "Commands:\n",
      f);
  for (int i = 0; i < N_COMMANDS; i++)
    fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].about);
  fputs(
      "\nExamples:\n"
      "  trm data gen sudoku --size 6 --output-dir data/sudoku6\n"
      "  trm train preset=sudoku6 data_paths=\"[data/sudoku6]\" +run_name=first\n"
      "  trm eval runs/Sudoku6-trm/first data/sudoku6\n"
      "  trm solve runs/Sudoku6-trm/first --show steps puzzles.txt\n\n"
      "Environment:\n"
      "  TRM_ISA=avx512_bf16|avx512|avx2|neon_bf16|neon|portable  forces a set of kernels\n"
      "  TRM_PLUGINS=FOLDER  where libtrm-cuda.so is, the part of trm for GPUs\n"
      "  TRM_CUDA_ARCH=8.0  has a GPU run the kernels for older ones\n\n",
      f);
  cli_print_exit_codes(f);
}

/* The features of this processor that kernels can make use of, if the system lets them. */
static void print_cpu_features(FILE *f) {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
#define FEATURE(name) \
  if (__builtin_cpu_supports(name)) fputs(" " name, f)
  FEATURE("sse4.2");
  FEATURE("avx");
  FEATURE("avx2");
  FEATURE("fma");
  FEATURE("avx512f");
  FEATURE("avx512vl");
  FEATURE("avx512bw");
  FEATURE("avx512dq");
  FEATURE("avx512bf16");
#undef FEATURE
#elif defined(__aarch64__) && defined(__linux__)
  fputs(" asimd", f);                                      /* part of the architecture */
  if (getauxval(AT_HWCAP2) & 1ul << 14) fputs(" bf16", f); /* HWCAP2_BF16 */
#else
  fputs(" unknown", f);
#endif
}

/* Why there are no kernels, which trm_isa does not tell: whatever computes is refused for it. */
static int check_kernels(void) {
  const trm_bench_shape smallest = {"", 1, 1, 1};
  trm_bench *b;
  trm_error err;
  if (trm_bench_create_products(TRM_FLOAT32, 1, &smallest, 1, &b, &err) != TRM_OK)
    return cli_report_error(&err);
  trm_bench_free(b);
  return CLI_OK;
}

static void print_gpu(void) {
  char about[160];
  trm_error err;
  const trm_device gpu = trm_device_resolve(CLI_ANY_DEVICE, &err);
  const bool found = gpu.kind != TRM_DEVICE_CPU;
  if (found && trm_device_describe(gpu, about, sizeof about, &err) == TRM_OK)
    printf("GPU: cuda:%d, %s\n", gpu.index, about);
  else
    printf("GPU: none: %s\n", err.msg);
}

static int print_version(void) {
#ifdef NDEBUG
  const char *build = "release";
#else
  const char *build = "with assertions";
#endif
  printf("trm %s\n", trm_version());
#if defined(__VERSION__)
  printf("build: %s, compiler %s\n", build, __VERSION__);
#else
  printf("build: %s\n", build);
#endif
  printf("kernels: %s\nprocessor:", trm_isa());
  print_cpu_features(stdout);
  printf("\nthreads: %d\n", trm_default_threads());
  print_gpu();
  return cli_finish(check_kernels());
}

static const command *find_command(const char *name) {
  cli_nearest near = {.word = name};
  for (int i = 0; i < N_COMMANDS; i++) {
    if (!strcmp(commands[i].name, name)) return &commands[i];
    cli_nearest_offer(&near, commands[i].name);
  }
  cli_nearest_offer(&near, "help");
  if (near.best)
    cli_usage_error("unknown command '%s'; did you mean '%s'?", name, near.best);
  else
    cli_usage_error("unknown command '%s'; `trm help` lists the commands", name);
  return NULL;
}

/* `trm help data build sudoku` is `trm data build sudoku --help`; more words than a command can
 * have are cut off. */
static int run_help(int argc, char **argv) {
  static char help[] = "--help";
  char *words[5] = {0};
  int n = 0;
  if (argc == 0) {
    print_help(stdout);
    return cli_finish(CLI_OK);
  }
  const command *c = find_command(argv[0]);
  if (!c) return CLI_USAGE;
  while (n < 3 && n + 1 < argc) {
    words[n] = argv[n + 1];
    n++;
  }
  words[n] = help;
  return c->run(n + 1, words);
}

int main(int argc, char **argv) {
  cli_signals_install();
  if (argc < 2) {
    print_help(stderr);
    return CLI_USAGE;
  }
  const char *word = argv[1];
  if (!strcmp(word, "--help") || !strcmp(word, "-h")) return run_help(0, NULL);
  if (!strcmp(word, "help")) return run_help(argc - 2, argv + 2);
  if (!strcmp(word, "--version") || !strcmp(word, "version")) return print_version();
  const command *c = find_command(word);
  return c ? c->run(argc - 2, argv + 2) : CLI_USAGE;
}
