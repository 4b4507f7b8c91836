// The solver for pages against the program, on one thread: ms of a supervision step per puzzle.
//
//   node bench/wasm.mjs [MODEL [WEB]]     MODEL: a file (models/sudoku6.safetensors);
//                                         WEB: build/wasm/web
//
// beside `ms` of `trm bench infer` on the same machine:
//
//   TRM_ISA=avx2 build/release/trm bench infer -m sudoku6 -t 1      (and TRM_ISA=portable)
//
// The median of RUNS runs after one to warm up: engines compile a module a second time, for speed,
// while it runs.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const RUNS = 5, STEPS = 4;
const [file = "models/sudoku6.safetensors", web = "build/wasm/web"] = process.argv.slice(2);
const { load } = await import(pathToFileURL(resolve(web, "trm.js")));

for (const rows of [1, 64]) {
  const model = await load(file, { rows });
  if (model.puzzle.kind !== "sudoku") throw new Error(`${file}: want a model of Sudokus`);
  const blank = ".".repeat(model.config.seq_len);
  const run = async () => {
    const begun = performance.now();
    await Promise.all(Array.from({ length: rows }, () => model.solve(blank, { steps: STEPS })));
    return (performance.now() - begun) / (rows * STEPS);
  };
  await run();
  const times = [];
  for (let i = 0; i < RUNS; i++) times.push(await run());
  times.sort((a, b) => a - b);
  const of = (t) => t.toFixed(3);
  console.log(`batch ${rows}: ${of(times[RUNS >> 1])} ms (${of(times[0])} to ${of(times[RUNS - 1])})`);
}
