// Tiny Recursive Models in a page, or under Node: loads a model and answers puzzles with it. What is
// here turns JavaScript's values into those of solve.c and back; trm.d.ts says what each is, and
// docs/WASM.md how to use it.
//
// One model has one instance of the module, and that one queue (trm/queue.h): puzzles that are asked
// for while others run take the rows that are free, and steps are made while there is a puzzle.

const HALTS = ["never", "q", "twice"];
const OPTIONS = ["steps", "halt", "halt_margin", "puzzle_id", "confidence", "latents", "onStep", "signal"];
const STRETCH = 12; // ms of steps, after which others have their turn
const NOT_A_FILE = 8; // WASI's errno

// ---- bytes from wherever ----

const underNode = typeof process === "object" && !!process.versions?.node;

async function bytesOf(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source))
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const path = String(source);
  if (underNode && (!/^[a-z]+:/i.test(path) || path.startsWith("file:"))) {
    const { readFile } = await import("node:fs/promises");
    return readFile(path.startsWith("file:") ? new URL(path) : path);
  }
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: the server answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

let ownModule; // compiled once, however many models there are
async function compile(wasm) {
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (wasm) return WebAssembly.compile(await bytesOf(wasm));
  ownModule ??= bytesOf(new URL("./trm.wasm", import.meta.url)).then((b) => WebAssembly.compile(b));
  return ownModule.catch((error) => {
    ownModule = undefined; // the next one may have better luck
    throw error;
  });
}

// ---- an instance: memory, texts, numbers ----

const nothing = () => NOT_A_FILE; // C's stdio is in the module for texts in memory alone

class Instance {
  constructor(instance) {
    this.call = instance.exports;
  }
  // Memory may grow with every call, and views of it are no longer valid then.
  words(at, n) {
    return new Int32Array(this.call.memory.buffer, at, n);
  }
  reals(at, n) {
    return new Float32Array(this.call.memory.buffer, at, n);
  }
  text(at) {
    const bytes = new Uint8Array(this.call.memory.buffer, at);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  }
  message() {
    return this.text(this.call.web_message());
  }
  // What `use` makes of bytes while they lie in the module's memory.
  lend(bytes, use) {
    const at = this.call.web_alloc(bytes.length);
    if (!at) throw new Error(`no memory for ${bytes.length} bytes`);
    try {
      new Uint8Array(this.call.memory.buffer, at, bytes.length).set(bytes);
      return use(at, bytes.length);
    } finally {
      this.call.web_free(at);
    }
  }
}

function valueOf(text) {
  if (text === "true" || text === "false") return text === "true";
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function readConfig(own) {
  const config = {};
  for (let i = 0, at; (at = own.call.web_config(i)); i++) {
    const text = own.text(at), cut = text.indexOf("=");
    if (cut > 0) config[text.slice(0, cut)] = valueOf(text.slice(cut + 1));
  }
  return config;
}

function readPuzzle(own) {
  const [rows, cols, box_rows, box_cols, sized, n, first] = own.words(own.call.web_puzzle(), 7);
  const kind = own.text(own.call.web_kind());
  const symbols = Array.from({ length: n }, (_, i) => own.text(own.call.web_symbol(first + i)));
  return { kind, rows, cols, box_rows, box_cols, sized: sized === 1, symbols, first_symbol: first };
}

function readLatents(own) {
  const names = [];
  for (let at; (at = own.call.web_latent(names.length)); ) names.push(own.text(at));
  return names;
}

// ---- puzzles and answers ----

// A Sudoku's rows as its text; those of other kinds are read as JSON.
function textOfRows(puzzle, rows) {
  if (puzzle.kind !== "sudoku") return JSON.stringify(rows);
  if (rows.length !== puzzle.rows) throw new RangeError(`want ${puzzle.rows} rows, got ${rows.length}`);
  return rows.map((cells, row) => {
    if (!Array.isArray(cells) || cells.length !== puzzle.cols)
      throw new RangeError(`row ${row + 1}: want an array of ${puzzle.cols} cells`);
    return cells.map((cell, col) => {
      const symbol = cell === null || cell === 0 || cell === "0" ? "."
        : typeof cell === "number" ? puzzle.symbols[cell] : cell;
      if (puzzle.symbols.includes(symbol)) return symbol;
      throw new RangeError(`row ${row + 1}, column ${col + 1}: want a digit up to ${puzzle.rows}, or 0`);
    }).join("");
  }).join("");
}

// A symbol that is a number is one; null is none.
function cellOf(puzzle, token) {
  const symbol = puzzle.symbols[token - puzzle.first_symbol];
  if (puzzle.kind === "sudoku" && symbol !== undefined) return token - puzzle.first_symbol;
  return symbol === undefined ? null : /^-?\d+$/.test(symbol) ? Number(symbol) : symbol;
}

const rounded = (v, digits) => Math.round(v * 10 ** digits) / 10 ** digits;

// How likely the model holds the token of a cell to be: the largest softmax of its logits.
function certainty(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  return rounded(1 / logits.reduce((sum, l) => sum + Math.exp(l - most), 0), 4);
}

function checkOptions(options) {
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name)) throw new TypeError(`"${name}": want one of ${OPTIONS.join(", ")}`);
  const { steps = 0, halt = "never", halt_margin = 0, puzzle_id = 0 } = options;
  for (const [name, value] of Object.entries({ steps, puzzle_id }))
    if (!Number.isInteger(value) || Math.abs(value) > 2 ** 31 - 1)
      throw new TypeError(`"${name}": want a whole number`);
  if (!HALTS.includes(halt)) throw new TypeError(`"halt": want one of ${HALTS.join(", ")}`);
  if (typeof halt_margin !== "number") throw new TypeError('"halt_margin": want a number');
}

// ---- a model ----

// Gives way to timers, messages and what is drawn.
function breathe() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

class Model {
  #own;
  #config;
  #puzzle;
  #latents; // names
  #waiting = []; // jobs without a place
  #running = new Map(); // by place
  #pumping = false;
  #failure; // why it takes no more puzzles

  constructor(instance) {
    this.#own = instance;
    this.#config = Object.freeze(readConfig(instance));
    this.#puzzle = Object.freeze(readPuzzle(instance));
    this.#latents = Object.freeze(readLatents(instance));
  }

  get config() {
    return this.#config;
  }
  get puzzle() {
    return this.#puzzle;
  }
  get latents() {
    return this.#latents;
  }

  async solve(puzzle, options = {}) {
    if (this.#failure) throw this.#failure;
    checkOptions(options);
    options.signal?.throwIfAborted();
    const job = { options, begun: performance.now(), asRows: Array.isArray(puzzle) };
    job.inputs = this.#parse(job.asRows ? textOfRows(this.#puzzle, puzzle) : puzzle);
    job.before = job.inputs;
    return new Promise((resolve, reject) => {
      Object.assign(job, { resolve, reject });
      job.leave = () => this.#drop(job, options.signal.reason);
      options.signal?.addEventListener("abort", job.leave, { once: true });
      this.#waiting.push(job);
      this.#pump();
    });
  }

  close() {
    this.#failure ??= new Error("the model was closed");
    this.#dropAll(this.#failure);
    this.#own = undefined;
  }

  #parse(text) {
    if (typeof text !== "string") throw new TypeError("want a puzzle: a text or an array of rows");
    const own = this.#own, n = this.#config.seq_len;
    return own.lend(new TextEncoder().encode(text), (at, size) => {
      const tokens = own.call.web_parse(at, size);
      if (!tokens) throw new RangeError(own.message());
      return own.words(tokens, n).slice();
    });
  }

  // Steps as long as there is a puzzle; one pump at a time.
  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    await null; // whoever asks for several at once has them side by side
    let since = performance.now();
    try {
      while (this.#waiting.length || this.#running.size) {
        this.#fill();
        if (!this.#running.size) continue;
        if (!this.#own.call.web_step()) throw new Error(this.#own.message());
        this.#collect();
        if (performance.now() - since > STRETCH) {
          await breathe();
          since = performance.now();
        }
      }
    } catch (error) { // a trap: what the instance holds has no meaning any more
      this.#failure = error;
      this.#dropAll(error);
    }
    this.#pumping = false;
  }

  #fill() {
    while (this.#waiting.length && this.#own.call.web_room() > 0) {
      const job = this.#waiting.shift();
      const { steps = 0, halt = "never", halt_margin = 0, puzzle_id = 0 } = job.options;
      const bytes = new Uint8Array(job.inputs.buffer, job.inputs.byteOffset, job.inputs.byteLength);
      const place = this.#own.lend(bytes, (at) =>
        this.#own.call.web_submit(at, puzzle_id, steps, HALTS.indexOf(halt), halt_margin));
      if (place < 0) {
        this.#end(job, () => job.reject(new RangeError(this.#own.message())));
        continue;
      }
      job.place = place;
      this.#running.set(place, job);
    }
  }

  // What a step gave: first all that is read, for a listener may ask this model for more.
  #collect() {
    const call = this.#own.call, told = [];
    for (let i = 0, at; (at = call.web_look(i)); i++) told.push(this.#read(at, false));
    for (let at; (at = call.web_take()); ) told.push(this.#read(at, true));
    for (const one of told) this.#tell(one);
  }

  #read(at, done) {
    const own = this.#own, S = this.#config.seq_len;
    const [place, steps, halted, inputs, answer, logits, latents] = own.words(at, 7);
    const q_halt = own.reals(at + 28, 1)[0];
    const job = this.#running.get(place), { options } = job;
    if (done) this.#running.delete(place);
    const told = { job, done };
    if (!done && !options.onStep) return told;

    const [row, col, rows, cols] = own.words(own.call.web_box(inputs, answer), 4);
    const box = own.call.web_box(inputs, answer);
    const tokens = own.words(answer, S).slice();
    const cells = []; // of the grid, on the canvas
    for (let r = row; r < row + rows; r++)
      for (let c = col; c < col + cols; c++) cells.push(r * this.#puzzle.cols + c);
    const gridOf = (where, values) => !job.asRows ? own.text(own.call.web_format(where, box))
      : Array.from({ length: rows }, (_, r) => cells.slice(r * cols, (r + 1) * cols)
          .map((cell) => cellOf(this.#puzzle, values[cell])));
    const grid = gridOf(answer, tokens);
    const V = this.#config.vocab_size;
    const confidence = () => cells.map((cell) => certainty(own.reals(logits + 4 * cell * V, V)));
    const violations = own.call.web_violations(inputs, answer), valid = own.call.web_solves(inputs, answer);
    const state = {
      violations: violations < 0 ? null : violations,
      q: rounded(1 / (1 + Math.exp(-q_halt)), 4),
      seconds: rounded((performance.now() - job.begun) / 1000, 6),
    };
    if (options.latents) {
      state.latents = this.#latents.map((name, i) => {
        const where = latents + 4 * S * i;
        return { name, grid: gridOf(where, own.words(where, S)) };
      });
    }

    if (options.onStep) {
      const changed = [];
      cells.forEach((cell, i) => tokens[cell] !== job.before[cell] && changed.push(i));
      told.step = { step: steps, grid, changed, confidence: confidence(), ...state };
      job.before = tokens;
    }
    if (done) {
      told.answer = { answer: grid, valid: valid < 0 ? null : valid === 1, steps, halted: !!halted, ...state };
      if (options.confidence) told.answer.confidence = confidence();
      told.answer.tokens = tokens;
      told.answer.logits = own.reals(logits, S * V).slice();
      told.answer.q_halt = q_halt;
    }
    return told;
  }

  #tell({ job, done, step, answer }) {
    if (job.ended) return;
    try {
      if (step) job.options.onStep(step);
    } catch (error) {
      this.#drop(job, error);
      return;
    }
    if (done) this.#end(job, () => job.resolve(answer));
  }

  #end(job, settle) {
    job.ended = true;
    job.options.signal?.removeEventListener("abort", job.leave);
    settle();
  }

  // A job that is not done leaves the queue.
  #drop(job, error) {
    if (job.ended) return;
    this.#waiting = this.#waiting.filter((other) => other !== job);
    if (this.#running.get(job.place) === job) {
      this.#running.delete(job.place);
      if (!this.#failure) this.#own.call.web_cancel(job.place);
    }
    this.#end(job, () => job.reject(error));
  }

  #dropAll(error) {
    for (const job of [...this.#waiting, ...this.#running.values()]) this.#drop(job, error);
  }
}

/** Loads a model, to be used where it is loaded. */
async function loadHere(source, options) {
  const [module, bytes] = await Promise.all([compile(options.wasm), bytesOf(source)]);
  const instance = await WebAssembly.instantiate(module, {
    wasi_snapshot_preview1: { fd_close: nothing, fd_seek: nothing, fd_write: nothing },
  });
  const own = new Instance(instance);
  own.lend(bytes, (at, n) => {
    if (!own.call.web_load(at, n, options.rows ?? 0)) throw new Error(own.message());
  });
  return new Model(own);
}

// ---- in a worker ----

// A worker of a page, or of Node, as one: post, listen, end.
async function startWorker(listen, failed) {
  const url = new URL("./trm-worker.js", import.meta.url);
  if (underNode) {
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(url);
    worker.on("message", listen).on("error", failed);
    return worker;
  }
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = (event) => listen(event.data);
  worker.onerror = (event) => failed(new Error(event.message || `${url}: the worker cannot be started`));
  return worker;
}

/** The same interface as Model, answered by a worker. */
class RemoteModel {
  #worker;
  #asked = new Map();
  #next = 0;
  #failure;

  static async start(source, options) {
    const model = new RemoteModel();
    const wasm = options.wasm && !(options.wasm instanceof WebAssembly.Module)
      ? await compile(options.wasm) : options.wasm;
    const bytes = await bytesOf(source);
    model.#worker = await startWorker((m) => model.#listen(m), (error) => model.#fail(error));
    try {
      const { config, puzzle, latents } = await model.#ask("load", { bytes, options: { ...options, wasm } });
      model.config = Object.freeze(config);
      model.puzzle = Object.freeze(puzzle);
      model.latents = Object.freeze(latents);
    } catch (error) {
      model.close();
      throw error;
    }
    return model;
  }

  async solve(puzzle, options = {}) {
    checkOptions(options);
    const { onStep, signal, ...plain } = options;
    signal?.throwIfAborted();
    const id = this.#next;
    const leave = () => this.#worker.postMessage({ id, what: "leave" });
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await this.#ask("solve", { puzzle, options: plain, steps: !!onStep }, onStep);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  close() {
    this.#fail(new Error("the model was closed"));
    this.#worker.terminate();
  }

  #ask(what, message, onStep) {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject, onStep });
      try {
        this.#worker.postMessage({ id, what, ...message });
      } catch (error) { // something that cannot be sent
        this.#asked.delete(id);
        reject(error);
      }
    });
  }

  #listen({ id, step, result, error }) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    if (step) {
      try {
        asked.onStep(step);
        return;
      } catch (thrown) {
        this.#worker.postMessage({ id, what: "leave" });
        asked.reject(thrown);
      }
    }
    this.#asked.delete(id);
    if (error) asked.reject(error);
    else asked.resolve(result);
  }

  #fail(error) {
    this.#failure ??= error;
    for (const asked of this.#asked.values()) asked.reject(this.#failure);
    this.#asked.clear();
  }
}

export function load(source, options = {}) {
  const { worker = !underNode, ...rest } = options;
  return worker ? RemoteModel.start(source, rest) : loadHere(source, rest);
}
