/* The trm program: finds the command and hands over the rest of the line. */
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "cli/commands/sudoku_input.h"
#include "cli/files.h"
#include "cli/manuals/manuals.h"
#include "cli/run/named_models.h"

typedef cli_command command;

static const command commands[] = {
    {"train", cmd_train, "train a model and keep checkpoints in a run folder"},
    {"runs", cmd_runs, "list and compare training runs"},
    {"eval", cmd_eval, "measure a model on a data set"},
    {"solve", cmd_solve, "solve puzzles given as text"},
    {"serve", cmd_serve, "answer puzzles over HTTP"},
    {"page", cmd_page, "write the server's page with models, for any static host"},
    {"info", cmd_info, "describe a model, a run or a data set"},
    {"models", cmd_models, "list the models that have a name"},
    {"data", cmd_data, "build or generate data sets"},
    {"finetune", cmd_finetune, "teach a model new ARC tasks, and answer them"},
    {"arc", cmd_arc, "count and score answers to ARC tasks"},
    {"sudoku", cmd_sudoku, "solve and rate Sudokus exactly, without a model"},
    {"convert", cmd_convert, "models from and to torch files and single files"},
    {"reproduce", cmd_reproduce, "train and compare the rows of the paper's tables"},
    {"bench", cmd_bench, "measure speed, and what limits it"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const char examples[] =
    "Examples:\n"
    "  trm solve sudoku9 --puzzle \\\n"
    "      53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79\n"
    "  trm data gen sudoku --size 6 --output-dir data/sudoku6\n"
    "  trm train preset=sudoku6 data_paths=\"[data/sudoku6]\" +run_name=first\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6\n"
    "  trm solve runs/Sudoku6-trm/first --show steps puzzles.txt\n\n"
    "Environment:\n"
    "  TRM_ISA=amx_bf16|avx512_bf16|avx512|avx2|neon_bf16|neon|portable\n"
    "                      forces a set of kernels\n"
    "  TRM_MODELS=FOLDER[:FOLDER]  where models with a name are looked for first\n"
    "  TRM_PYTHON=PROGRAM  the Python that `trm convert` has write ONNX files, else python3\n"
    "  TRM_PLUGINS=FOLDER  where libtrm-cuda.so is, the part of trm for GPUs\n"
    "  TRM_CUDA_ARCH=8.0  has a GPU run the kernels for older ones\n\n";
static const char usage[] =
    "trm COMMAND [arguments]\n"
    "       trm help [COMMAND [ACTION ...]]\n"
    "       trm help --man [COMMAND] | --bash | --zsh | --fish\n"
    "       trm --version";
static const char summary[] = "Tiny Recursive Models - train, evaluate and solve";

static void print_help(FILE *f) {
  fprintf(f, "trm: %s\n\nUsage: %s\n\nCommands:\n", summary, usage);
  for (int i = 0; i < N_COMMANDS; i++)
    fprintf(f, "  %-9s %s\n", commands[i].name, commands[i].about);
  fprintf(f, "\n%s", examples);
  cli_print_exit_codes(f);
}

/* The features of this processor that kernels can make use of, if the system lets them. */
static void print_cpu_features(FILE *f) {
#if defined(__x86_64__) && defined(__GNUC__)
  /* The compiler's question asks the system, too, whether it saves the registers. */
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
  unsigned a, b, c, d; /* not every compiler can be asked for these by name */
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & d >> 24 & 1)) fputs(" amx_bf16", f);
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

static void print_room(void) {
  char limit[128], left[32];
  const int64_t room = trm_memory_room(limit, sizeof limit);
  cli_format_bytes((double)room, left, sizeof left);
  if (room < INT64_MAX) printf("memory: %s left of %s\n", left, limit);
}

static int print_version(void) {
#ifdef NDEBUG
  const char *build = "release";
#else
  const char *build = "with assertions";
#endif
  printf("trm %s%s%s\n", trm_version(), *trm_commit() ? ", commit " : "", trm_commit());
#if defined(__VERSION__)
  printf("build: %s, compiler %s\n", build, __VERSION__);
#else
  printf("build: %s\n", build);
#endif
  printf("kernels: %s\nprocessor:", trm_isa());
  print_cpu_features(stdout);
  printf("\nthreads: %d\n", trm_default_threads());
  print_room();
  print_gpu();
  return cli_finish(check_kernels());
}

/* What other programs call it, or what stands below a command here. */
static const struct {
  const char *word, *command;
} meanings[] = {
    {"gen", "trm data gen KIND"},
    {"generate", "trm data gen KIND"},
    {"build", "trm data build KIND"},
    {"show", "trm data show DIR"},
    {"verify", "trm data verify DIR"},
    {"test", "trm eval MODEL DATA"},
    {"evaluate", "trm eval MODEL DATA"},
    {"predict", "trm solve MODEL FILE"},
    {"infer", "trm solve MODEL FILE"},
    {"run", "trm solve MODEL FILE"},
    {"vote", "trm arc vote"},
    {"score", "trm arc score"},
    {"export", "trm convert MODEL OUT"},
    {"import", "trm convert MODEL OUT"},
    {"resume", "trm train --resume DIR"},
    {"presets", "trm train --list-presets"},
    {"fine-tune", "trm finetune"},
};

/* Who begins with what is to be solved, or with the model that is to solve it. */
static bool explain_operand(const char *name) {
  char path[TRM__PATH_MAX];
  if (sudoku_input_is_puzzle(name, NULL)) {
    cli_usage_error(
        "'%.60s' is a puzzle; it is solved by `trm sudoku solve --puzzle PUZZLE`, or by a "
        "model: `trm solve MODEL --puzzle PUZZLE`",
        name);
    return true;
  }
  if (named_model_find(name, path, NULL) != TRM_OK || !strcmp(path, name)) return false;
  cli_usage_error("unknown command '%s'; it is a model, used as in `trm solve %s FILE`", name,
                  name);
  return true;
}

static bool explain_word(const char *name) {
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (!strcmp(meanings[i].word, name)) {
      cli_usage_error("unknown command '%s'; it is `%s`", name, meanings[i].command);
      return true;
    }
  if (name[0] != '-') return explain_operand(name);
  cli_usage_error(
      "unknown option %s; a command comes first, as in `trm solve MODEL FILE`; "
      "`trm help` lists them",
      name);
  return true;
}

static const command *find_command(const char *name) {
  trm__nearest near = {.word = name};
  for (int i = 0; i < N_COMMANDS; i++) {
    if (!strcmp(commands[i].name, name)) return &commands[i];
    trm__nearest_offer(&near, commands[i].name);
  }
  if (explain_word(name)) return NULL;
  trm__nearest_offer(&near, "help");
  if (near.best)
    cli_usage_error("unknown command '%s'; did you mean '%s'?", name, near.best);
  else
    cli_usage_error("unknown command '%s'; `trm help` lists the commands", name);
  return NULL;
}

/* The man page of a command, or of all. */
static int print_man(int argc, char **argv) {
  char *notes = NULL;
  size_t size;
  const command *c = argc ? find_command(argv[0]) : NULL;
  if (argc && !c) return CLI_USAGE;
  FILE *f = open_memstream(&notes, &size);
  if (f) fputs(examples, f);
  if (f) cli_print_exit_codes(f);
  if (!cli_memory_close(f, &notes)) {
    trm_error err;
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory for a man page");
    free(notes);
    return cli_report_error(&err);
  }

  /* The program as its pages are made of: usage, summary and the table of commands. */
  const cli_program p = {{usage,
                          "Trains Tiny Recursive Models, measures them and has them solve puzzles. "
                          "Each command has a page of its own, and --help.\n",
                          notes},
                         summary,
                         commands,
                         N_COMMANDS};
  manuals_man(&p, c);
  free(notes);
  return cli_finish(CLI_OK);
}

/* False when `word` does not ask for another form of the help. */
static bool print_form(const char *word, int argc, char **argv, int *code) {
  static const struct {
    const char *option;
    void (*print)(const cli_program *p);
  } shells[] = {{"--bash", manuals_bash}, {"--zsh", manuals_zsh}, {"--fish", manuals_fish}};
  const cli_program p = {{usage, "", ""}, summary, commands, N_COMMANDS};
  if (!strcmp(word, "--man")) *code = print_man(argc, argv);
  if (!strcmp(word, "--man")) return true;
  for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
    if (strcmp(word, shells[i].option) != 0) continue;
    shells[i].print(&p);
    *code = cli_finish(CLI_OK);
    return true;
  }
  return false;
}

/* `trm help data build sudoku` is `trm data build sudoku --help`; more words than a command can
 * have are cut off. */
static int run_help(int argc, char **argv) {
  static char help[] = "--help";
  char *words[5] = {0};
  int n = 0;
  if (argc == 0 || !strcmp(argv[0], "help")) {
    print_help(stdout);
    return cli_finish(CLI_OK);
  }
  if (print_form(argv[0], argc - 1, argv + 1, &n)) return n;

  /* The words of the command, with --help behind the last. */
  const command *c = find_command(argv[0]);
  if (!c) return CLI_USAGE;
  while (n < 3 && n + 1 < argc) {
    words[n] = argv[n + 1];
    n++;
  }
  words[n] = help;
  return c->run(n + 1, words);
}

static bool is_one_of(const char *word, const char *const *names) {
  while (*names && strcmp(*names, word) != 0) names++;
  return *names;
}

int main(int argc, char **argv) {
  static const char *const help[] = {"help", "--help", "-h", NULL};
  static const char *const version[] = {"version", "--version", "-V", "-v", NULL};
  cli_hold_standard_files();
  cli_signals_install();
  cli_faults_install();
  if (argc < 2) {
    print_help(stderr);
    return CLI_USAGE;
  }
  const char *word = argv[1];
  if (is_one_of(word, help)) return run_help(argc - 2, argv + 2);
  if (is_one_of(word, version)) return print_version();
  const command *c = find_command(word);
  return c ? c->run(argc - 2, argv + 2) : CLI_USAGE;
}
