// The solver for pages, under Node: the same answers and bits as the library's plain C, with every
// model that ships; its interface, with and without a worker; what it refuses.
//
//   node --test tests/wasm.mjs, with WEB=build/wasm/web, ANSWERS=build/release/tests/wasm_answers and
//   TRM=build/release/trm
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const web = resolve(process.env.WEB), { load } = await import(pathToFileURL(join(web, "trm.js")));
const models = new URL("../models/", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "trm-wasm-"));
after(() => rmSync(scratch, { recursive: true }));

const puzzles = {
  sudoku4: [".......4.1...43.", "1..............."],
  sudoku6: ["5......4......1.64....25.......2..56", ".3.5...4.......4..62...3.....21....."],
  sudoku9: ["53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"],
  maze10: [".#.S.#.#../..##....#./.#.#..#.../.##.#####./......#.#./..##....../#......###/..#.#....#/" +
    "###.....#./##..#G.#.."],
};
const fileOf = (name) => join(models, `${name}.safetensors`);
const [question, other] = puzzles.sudoku6;

// What the library answers, by plain C.
function reference(name, steps, dtype) {
  const file = join(scratch, `${name}-${dtype}.safetensors`);
  const run = spawnSync(process.env.ANSWERS, [fileOf(name), String(steps), dtype, file], {
    input: puzzles[name].join("\n") + "\n", env: { ...process.env, TRM_ISA: "portable" },
  });
  assert.equal(run.status, 0, String(run.stderr));
  return { file, bytes: run.stdout };
}

// What each latent reads as after each step, of trm solve.
function shownLatents(puzzle, steps) {
  const args = ["solve", fileOf("sudoku6"), "--steps", String(steps), "--show", "latents", "--json", "--puzzle", puzzle];
  const run = spawnSync(process.env.TRM, args, { env: { ...process.env, TRM_ISA: "portable" } });
  assert.equal(run.status, 0, String(run.stderr));
  return JSON.parse(run.stdout).trace.map(({ latents }) => latents.map(({ name, grid }) => ({ name, grid })));
}
const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

test("a page loads less than 300 kB", () => {
  assert.ok(statSync(join(web, "trm.wasm")).size < 300_000);
});

test("nothing of a system is asked for", async () => {
  const module = await WebAssembly.compile(readFileSync(join(web, "trm.wasm")));
  for (const { module: from, name } of WebAssembly.Module.imports(module))
    assert.match(`${from}.${name}`, /^wasi_snapshot_preview1\.fd_(close|seek|write)$/);
});

for (const name of Object.keys(puzzles))
  for (const dtype of ["bf16", "f32"])
    test(`${name} in ${dtype} has the bits of plain C`, async () => {
      // One step and many; the puzzles side by side, which changes nothing.
      for (const steps of [1, 6]) {
        const { file, bytes } = reference(name, steps, dtype);
        const model = await load(file);
        const told = await Promise.all(puzzles[name].map((p) => model.solve(p, { steps })));
        const own = Buffer.concat(told.flatMap(({ tokens, logits, q_halt }) =>
          [tokens, logits, Float32Array.of(q_halt)].map(bytesOf)));
        assert.equal(own.length, bytes.length);
        assert.ok(own.equals(bytes), `${steps} steps: other bits`);
        assert.ok(told.every(({ logits }) => logits.some((l) => l !== 0)));
      }
    });

for (const worker of [false, true])
  test(`the interface ${worker ? "in a worker" : "by itself"}`, async (t) => {
    const model = await load(readFileSync(fileOf("sudoku6")), { worker });
    t.after(() => model.close()); // or a test that fails would not end
    assert.equal(model.config.seq_len, 36);
    assert.equal(model.puzzle.kind, "sudoku");
    assert.deepEqual(model.puzzle.symbols, [".", "1", "2", "3", "4", "5", "6"]);

    // Steps, and the answer after the last one.
    const steps = [];
    const told = await model.solve(question, { steps: 3, onStep: (step) => steps.push(step) });
    assert.deepEqual(steps.map(({ step }) => step), [1, 2, 3]);
    assert.equal(steps[2].grid, told.answer);
    assert.deepEqual(steps[0].changed, [...question].flatMap((c, i) => (c !== steps[0].grid[i] ? [i] : [])));
    assert.deepEqual(steps[1].changed, [...steps[0].grid].flatMap((c, i) => (c !== steps[1].grid[i] ? [i] : [])));
    assert.equal(steps[0].confidence.length, 36);
    assert.ok(steps[0].confidence.every((c) => c > 1 / 8 && c <= 1));
    assert.deepEqual([told.steps, told.halted, told.valid, told.violations], [3, false, true, 0]);
    assert.ok(!("latents" in told) && !("latents" in steps[0]));

    // What the latents read as, as the program shows it.
    assert.deepEqual(model.latents, ["z_H", "z_L"]);
    const thoughts = [];
    const end = await model.solve(other, { steps: 2, latents: true, onStep: ({ latents }) => thoughts.push(latents) });
    assert.deepEqual(thoughts, shownLatents(other, 2));
    assert.deepEqual(end.latents, thoughts[1]);
    assert.equal(end.latents[0].grid, end.answer);
    assert.notEqual(end.latents[1].grid, end.answer);

    // Rows come back as rows, and an early exit ends sooner.
    const rows = question.match(/.{6}/g).map((row) => [...row].map((c) => (c === "." ? 0 : Number(c))));
    const early = await model.solve(rows, { halt: "q", halt_margin: 2 });
    assert.equal(early.answer.flat().join(""), told.answer);
    assert.ok(early.halted && early.steps < 16);

    // More puzzles than rows; one that is none fails alone.
    const many = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => model.solve(i === 7 ? "12" : question, { steps: 2 })));
    assert.equal(many.filter(({ status }) => status === "rejected").length, 1);
    assert.match(many[7].reason.message, /36 characters/);
    assert.ok(many.every(({ value }, i) => i === 7 || bytesOf(value.logits).equals(bytesOf(many[0].value.logits))));

    // What is refused.
    await assert.rejects(model.solve(question, { step: 3 }), /"step": want one of steps/);
    await assert.rejects(model.solve(question, { steps: 5000 }), /1024/);
    await assert.rejects(model.solve(question, { puzzle_id: 9 }), RangeError);
    await assert.rejects(model.solve([[1, 2], [3]]), /want 6 rows/);
    await assert.rejects(model.solve(5), TypeError);
    await assert.rejects(model.solve("11".padEnd(36, ".")), /column 2/);

    // Puzzles leave in the middle, and others go on.
    const control = new AbortController();
    const left = model.solve(question, { steps: 1000, signal: control.signal, onStep: () => control.abort(new Error("enough")) });
    const beside = model.solve(question, { steps: 4 });
    await assert.rejects(left, /enough/);
    assert.equal((await beside).steps, 4);
    await assert.rejects(model.solve(question, { onStep() { throw new Error("mine"); } }), /mine/);
    assert.equal((await model.solve(question, { steps: 1 })).steps, 1);
    const last = model.solve(question, { steps: 1000 });
    model.close();
    await assert.rejects(last, /closed/);
    await assert.rejects(model.solve(question), /closed/);
  });

test("bytes that are no model are refused in words", async () => {
  const good = readFileSync(fileOf("sudoku4"));
  const refused = async (bytes) => {
    const error = await load(bytes).then(() => assert.fail("it was loaded"), (e) => e);
    assert.ok(!(error instanceof WebAssembly.RuntimeError), error.stack);
    assert.ok(error.message.length > 10);
  };
  await refused(new Uint8Array(0));
  await refused(Buffer.from("<html>not found</html>"));
  for (const cut of [7, 8, 9, 500, good.length - 1]) await refused(good.subarray(0, cut));

  // A header that is longer than the file, one as deep as it is long, and configurations of any size.
  const long = Buffer.from(good);
  long.writeBigUInt64LE(0xffffffffffffn);
  await refused(long);
  const deep = Buffer.alloc(100_008, "[");
  deep.writeBigUInt64LE(100_000n);
  await refused(deep);
  const text = good.toString("latin1");
  for (const width of ["64000", "4294967360", "-64", "1e9"]) {
    const changed = Buffer.from(text.replace(/(hidden_size\\?":\s*)\d+/, `$1${width}`), "latin1");
    changed.writeBigUInt64LE(good.readBigUInt64LE() + BigInt(changed.length - good.length));
    await refused(changed);
  }

  // Any byte of the header may be another; a model that is taken for one anyway answers.
  const header = Number(good.readBigUInt64LE());
  for (let at = 8; at < header; at += 41) {
    const bad = Buffer.from(good);
    bad[at] ^= 1 << at % 7;
    const model = await load(bad).catch((error) => {
      assert.ok(!(error instanceof WebAssembly.RuntimeError), `byte ${at}: ${error.stack}`);
    });
    await model?.solve(".".repeat(16), { steps: 1 }).catch((error) =>
      assert.ok(!(error instanceof WebAssembly.RuntimeError), `byte ${at}: ${error.stack}`));
  }
});

test("a file that is not there is said", async () => {
  await assert.rejects(load(join(scratch, "none.safetensors")), /none\.safetensors/);
  await assert.rejects(load(join(scratch, "none.safetensors"), { worker: true }), /none\.safetensors/);
});
