// The page of trainings: what trm serve --run tells, asked for every two seconds while it is seen.
import { legend } from "./board.js";
import { Trainings } from "./runs-api.js";
import { drawCurves, valueAt } from "./runs-chart.js";
import { countText, durationText, lookOf, overText, swatchOf, valueText } from "./runs-look.js";
import { Puzzles } from "./runs-puzzles.js";

const PACE = 2000, PATIENCE = 5000; // milliseconds between two questions; after one without an answer
const SHOWN = 8;                    // curves at first, beside those of runs that are trained
const WISHES = [["all/exact_accuracy", "train/exact_accuracy"], ["train/lm_loss"]]; // of the two charts

const $ = (id) => document.getElementById(id);
const server = new Trainings();
const puzzles = new Puzzles();
const figures = [...document.querySelectorAll("#charts select")];
const charts = [...document.querySelectorAll("#charts .chart")];

let runs = [], keys = [];
let order = new Map();    // of an id, its place: what a run looks like stays
let hidden = new Set();   // ids whose curves are not shown
let curves = new Map();   // of a key, what the server told
let asked = "";           // the revisions and keys that these curves are of
let at = null;            // x at which curves are read; null: the end
let timer, turn = 0;      // of asking: a newer turn ends an older one

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

// ---- curves ----

const charted = () => runs.filter((run) => !hidden.has(run.id));

// The points of a run that have a value.
function curveOf(run, key) {
  const told = curves.get(key)?.find((c) => c.run === run.id);
  if (!told) return null;
  const x = [], y = [];
  told[$("over").value].forEach((v, i) => {
    if (v === null || told.values[i] === null) return;
    x.push(v);
    y.push(told.values[i]);
  });
  return x.length ? { name: run.name, look: lookOf(order.get(run.id)), x, y } : null;
}

function drawCharts() {
  const all = figures.map((f) => charted().map((run) => curveOf(run, f.value)).filter(Boolean));
  const most = Math.max(1, ...all.flat().map((c) => c.x[c.x.length - 1]));
  charts.forEach((chart, i) => {
    if (!chart.clientWidth) return;
    const drawn = drawCurves(chart.clientWidth, {
      key: figures[i].value, over: $("over").value, curves: all[i], most, at, logarithmic: $("log").checked,
    }, (x) => readAt(x, most));
    chart.replaceChildren(drawn);
  });
  if (at === null) $("at").value = $("at").max;
  $("at").most = most;
  drawReadout(all, most);
}

function readAt(x, most) {
  at = x >= most ? null : x;
  $("at").value = Math.round((1000 * x) / most);
  drawCharts();
}

function drawReadout(all, most) {
  const over = $("over").value, x = at ?? most;
  $("at").setAttribute("aria-valuetext", at === null ? "the end" : overText(over, x));
  const parts = [at === null ? "At the end of each" : `At ${overText(over, x)}`];
  figures.forEach((f, i) => {
    if (!all[i].length) return;
    const name = document.createElement("strong");
    name.textContent = f.value;
    const values = all[i].map((c) => `${c.look.tag} ${valueText(f.value, at === null ? c.y[c.y.length - 1] : valueAt(c, x))}`);
    parts.push(" · ", name, ` ${values.join(", ")}`);
  });
  $("readout").replaceChildren(...(all.flat().length ? parts : []));
}

// The figures that can be chosen; what the address says, or else what is best to look at, is chosen.
function drawFigures() {
  figures.forEach((select, i) => {
    if ([...select.options].map((o) => o.value).join("\n") === keys.join("\n")) return;
    const wished = [stateOf().get(`figure${i}`), ...WISHES[i], select.value].find((k) => keys.includes(k));
    select.replaceChildren(...keys.map((k) => new Option(k)));
    select.value = wished ?? keys[Math.min(i, keys.length - 1)] ?? "";
  });
}

// ---- runs ----

function stateText(run) {
  if (run.problem) return `cannot be read: ${run.problem}`;
  if (run.read < 1) return `its log is read: ${Math.floor(100 * run.read)} %`;
  if (run.stage === "running") return "is trained";
  if (run.stage === "diverged") return `diverged: ${run.message ?? "NaN or infinity"}`;
  if (run.state === "failed") return `failed: ${run.message ?? "it does not say why"}`;
  if (run.stage === "stopped") return run.state ? "was stopped, can go on" : "ended without a word: killed? It can go on";
  return { new: "has no update yet", done: "is done" }[run.stage];
}

function element(tag, ...content) {
  const e = document.createElement(tag);
  e.append(...content);
  return e;
}

// On a phone a row is a block, in which each cell says what it is; roles stay those of a table.
function cell(name, ...content) {
  const e = element("td", ...content);
  e.setAttribute("role", "cell");
  e.dataset.name = name;
  return e;
}

function rowOf(run) {
  const row = document.createElement("tr"), look = lookOf(order.get(run.id));
  const box = document.createElement("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", `the curve of ${run.name}`);
  box.addEventListener("change", () => {
    if (box.checked) hidden.delete(run.id);
    else hidden.add(run.id);
    drawCharts();
  });
  const label = element("label", box, swatchOf(look), element("strong", look.tag));
  const name = element("th", run.name);
  name.setAttribute("role", "rowheader");
  name.title = run.name;
  const progress = document.createElement("progress");
  progress.setAttribute("aria-label", `updates of ${run.name}`);
  const [count, left, rate] = Array.from({ length: 3 }, () => document.createElement("div"));
  const [state, best, last, time] = ["State", "Best", "Last", "Trained"].map((n) => cell(n));
  rate.className = "less";
  row.setAttribute("role", "row");
  row.append(cell("Curve", label), name, state, cell("Updates", progress, count), cell("Done in", left, rate), best, last, time);
  return { row, box, progress, count, state, left, rate, best, last, time };
}

const rows = new Map();

function drawRuns() {
  for (const run of runs) {
    if (!rows.has(run.id)) rows.set(run.id, rowOf(run));
    const r = rows.get(run.id);
    const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };
    r.box.checked = !hidden.has(run.id);
    put(r.state, stateText(run));
    r.progress.max = Math.max(1, run.end);
    r.progress.value = Math.min(run.updates, Math.max(1, run.end));
    put(r.count, run.end ? `${countText(run.updates)} of ${countText(run.end)}` : countText(run.updates));
    put(r.left, run.eta === null ? "–" : durationText(run.eta));
    put(r.rate, run.rate === null ? "" : `${Number(run.rate.toPrecision(3))} a second`);
    put(r.best, run.best_exact === null ? "–" : `${valueText("accuracy", run.best_exact)} at ${countText(run.best_update)}`);
    put(r.last, run.last_exact === null ? "–" : valueText("accuracy", run.last_exact));
    put(r.time, run.seconds ? durationText(run.seconds) : "–");
  }
  const wanted = runs.map((run) => rows.get(run.id).row);
  if (wanted.some((row, i) => $("rows").children[i] !== row) || $("rows").children.length !== wanted.length)
    $("rows").replaceChildren(...wanted);
}

function summaryText(told) {
  if (told.problem) return told.problem;
  const n = runs.length, busy = runs.filter((run) => run.stage === "running");
  if (!n) return "There is no run in the folder yet; one that begins appears here.";
  const left = busy.map((run) => run.eta).filter((eta) => eta !== null);
  const until = left.length ? `, all done in ${durationText(Math.max(...left)).replace(/ \d+ s$/, "")}` : "";
  return `${n} run${n === 1 ? "" : "s"}, ${busy.length || "none"} under way${until}.`;
}

// Those that are chosen from are the runs; whose puzzles are shown at first is who is trained.
function drawChoice() {
  const names = runs.map((run) => `${lookOf(order.get(run.id)).tag} ${run.name}`);
  if ([...$("whose").options].map((o) => o.text).join("\n") === names.join("\n")) return;
  const before = Number($("whose").value || -1);
  $("whose").replaceChildren(...runs.map((run, i) => new Option(names[i], run.id)));
  const named = runs.find((run) => run.name === stateOf().get("run"));
  const busy = runs.findLast((run) => run.stage === "running");
  const chosen = runs.find((run) => run.id === before) ?? named ?? busy ?? runs[runs.length - 1];
  if (chosen) $("whose").value = chosen.id;
}

// ---- the address ----

const stateOf = () => new URLSearchParams(location.hash.slice(1));

function keepState() {
  const state = new URLSearchParams({ over: $("over").value });
  figures.forEach((f, i) => { if (f.value) state.set(`figure${i}`, f.value); });
  const run = runs.find((r) => r.id === Number($("whose").value));
  if (run) state.set("run", run.name);
  history.replaceState(null, "", `#${state}`);
}

// ---- asking ----

// A server that was started anew may give ids that others had.
function forgetOthers(told) {
  if (!told.runs.some((run) => runs.some((r) => r.id === run.id && r.name !== run.name))) return;
  for (const known of [order, hidden, rows, curves]) known.clear();
  asked = puzzles.shown = "";
  $("whose").replaceChildren();
}

function take(told) {
  forgetOthers(told);
  ({ runs, keys } = told);
  for (const run of runs)
    if (!order.has(run.id)) {
      order.set(run.id, order.size);
      if (order.size > SHOWN && run.stage !== "running") hidden.add(run.id);
    }
  for (const id of rows.keys()) if (!runs.some((run) => run.id === id)) rows.delete(id);
  const text = summaryText(told);
  if ($("summary").textContent !== text) $("summary").textContent = text;
  $("beyond").hidden = !told.beyond;
  $("beyond").textContent = `${countText(told.beyond)} more that were written to before these are not shown.`;
  drawFigures();
  drawChoice();
  drawRuns();
}

// The curves that are shown, where anything of them is new.
async function askCurves() {
  const wanted = [...new Set(figures.map((f) => f.value).filter(Boolean))];
  const now = JSON.stringify([wanted, runs.map((run) => [run.id, run.revision])]);
  if (now === asked) return;
  const told = await Promise.all(wanted.map((key) => server.curves(key)));
  curves = new Map(wanted.map((key, i) => [key, told[i]]));
  asked = now;
}

async function askPuzzles() {
  const run = runs.find((r) => r.id === Number($("whose").value));
  const known = run && run.checkpoint && puzzles.shown === `${run.id}:${run.checkpoint}`;
  if (!known) puzzles.show(run, run ? await server.puzzles(run.id) : null);
}

async function ask() {
  const mine = ++turn;
  let wait = PACE;
  clearTimeout(timer);
  try {
    const told = await server.runs();
    if (mine !== turn) return;
    take(told);
    await askCurves();
    if (mine !== turn) return;
    drawCharts();
    await askPuzzles();
    if (mine !== turn) return;
    say("");
    $("key").hidden = true;
  } catch (error) {
    if (!error.reason) throw error;
    if (mine !== turn) return;
    wait = PATIENCE;
    say(error.message);
    if (error.reason === "key") {
      wait = 0; // it would say the same again
      if ($("key").hidden) {
        $("key").hidden = false;
        $("key-text").focus();
      }
    }
  }
  if (wait && !document.hidden) timer = setTimeout(ask, wait);
}

function listen() {
  const on = (id, what, then) => $(id).addEventListener(what, then);
  figures.forEach((f) => f.addEventListener("change", () => { keepState(); ask(); }));
  on("over", "change", () => { at = null; keepState(); drawCharts(); });
  on("log", "change", drawCharts);
  on("whose", "change", () => { keepState(); ask(); });
  on("at", "input", () => {
    const part = Number($("at").value) / 1000;
    at = part === 1 ? null : part * ($("at").most ?? 1);
    drawCharts();
  });
  on("key", "submit", (event) => {
    event.preventDefault();
    server.key = $("key-text").value.trim();
    ask();
  });
  addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  new ResizeObserver(drawCharts).observe($("charts"));
}

for (const [picture, meaning] of legend()) $("signs").append(element("dt", picture), element("dd", meaning));
if (["updates", "seconds", "samples"].includes(stateOf().get("over"))) $("over").value = stateOf().get("over");
listen();
ask();
