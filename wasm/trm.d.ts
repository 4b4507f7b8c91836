/** Tiny Recursive Models in a page or under Node; docs/WASM.md shows how to use this. */

/** A file or address of a model in one .safetensors file, or its bytes. Under Node a text that is
 * no address is a path. */
export type Source = string | URL | ArrayBuffer | ArrayBufferView;

export interface LoadOptions {
  /** Whether a worker does the work, so that a page stays responsive. Default: true in a page, false
   * under Node. */
  worker?: boolean;
  /** trm.wasm, where it does not lie beside trm.js. */
  wasm?: Source | WebAssembly.Module;
  /** Puzzles that are solved side by side at most; 0: about 768 positions together. */
  rows?: number;
}

/** What a model's tokens mean. */
export interface Puzzle {
  readonly kind: "none" | "sudoku" | "maze" | "arc" | "grid";
  readonly rows: number;
  readonly cols: number;
  /** Cells of a Sudoku's box; 0 of other kinds. */
  readonly box_rows: number;
  readonly box_cols: number;
  /** Whether grids may be smaller than rows x cols. */
  readonly sized: boolean;
  /** By token, from `first_symbol` on. */
  readonly symbols: readonly string[];
  readonly first_symbol: number;
}

/** The fields of trm_model_config by their names, as in config.json. */
export type Config = Readonly<Record<string, number | boolean | string>> & {
  readonly seq_len: number;
  readonly vocab_size: number;
  readonly halt_max_steps: number;
};

/** A number where the symbol is one, null without a symbol. */
export type Cell = number | string | null;
/** A text as `trm solve` takes it, or rows of cells; a Sudoku's blank is 0 or null. */
export type Grid = string | Cell[][];

export interface SolveOptions {
  /** Supervision steps at most, to 1024; 0: as many as the model was trained with. */
  steps?: number;
  /** When a puzzle stops before that: once q is above halt_margin, or was so twice in a row. */
  halt?: "never" | "q" | "twice";
  /** In logits. */
  halt_margin?: number;
  /** Of a model that knows tasks by ids. */
  puzzle_id?: number;
  /** True: the answer says how sure the model is of each cell. */
  confidence?: boolean;
  /** True: steps and the answer say what the output head reads in each latent. */
  latents?: boolean;
  /** Called after each step. What it throws ends the puzzle, and is what solve is rejected with. */
  onStep?: (step: Step) => void;
  /** Ends the puzzle: solve is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** What the output head, which was trained for the answer's, reads in a latent. */
export interface Latent {
  readonly name: string;
  /** In the form that the puzzle had. */
  readonly grid: Grid;
}

interface State {
  /** Cells of a Sudoku that break a rule; null of other puzzles. */
  violations: number | null;
  /** How sure the model is that all is right, 0 to 1. */
  q: number;
  /** Since solve was called. */
  seconds: number;
  /** Where it was asked for, as many as Model.latents. */
  latents?: Latent[];
}

export interface Step extends State {
  /** From 1. */
  step: number;
  /** In the form that the puzzle had. */
  grid: Grid;
  /** Cells, from 0 in reading order, that differ from the step before (the first: the puzzle). */
  changed: number[];
  /** The largest probability of each cell. */
  confidence: number[];
}

export interface Answer extends State {
  /** In the form that the puzzle had. */
  answer: Grid;
  /** Whether it keeps the rules and what was given; null where no rules are known. */
  valid: boolean | null;
  /** That were taken. */
  steps: number;
  /** Whether `halt` stopped it. */
  halted: boolean;
  confidence?: number[];
  /** [seq_len] */
  tokens: Int32Array;
  /** [seq_len, vocab_size] */
  logits: Float32Array;
  /** The logit of q. */
  q_halt: number;
}

export interface Model {
  readonly config: Config;
  readonly puzzle: Puzzle;
  /** Names of its latents, such as "z_H" and "z_L"; the answer is read from the first. */
  readonly latents: readonly string[];
  /** Puzzles that are asked for while others run share their steps. Rejected with RangeError for
   * what is no puzzle of the model's or cannot have an answer, TypeError for options that are none. */
  solve(puzzle: Grid, options?: SolveOptions): Promise<Answer>;
  /** Ends the worker; puzzles that are not done are rejected. Without a worker memory goes when
   * nothing refers to the model any more. */
  close(): void;
}

/** Rejected where the bytes are no model, or memory is short: the message says what is wrong. */
export function load(source: Source, options?: LoadOptions): Promise<Model>;
