// The page: a puzzle, one or two models that solve it, and the step that is shown.
import { openSolver } from "./api.js";
import { Board, legend } from "./board.js";
import { drawChart } from "./charts.js";
import { Player } from "./player.js";
import { emptyPuzzle, fromServer, kindOf, readPuzzle, sameShape, shapeOf, textOf, toServer, violations } from "./puzzle.js";
import { linkOf, pictureOf, saveAs, stateOfLink } from "./share.js";
import { solveSudoku } from "./solution.js";
import { countViews, undoView, viewsOf } from "./views.js";

const $ = (id) => document.getElementById(id);
const player = new Player(show);
const blind = new Set();

let solver;             // of api.js
let models = [], examples = [];
let puzzle;             // the question
let solution = null;    // {solutions, cells}, of Sudokus
let lanes = [];         // {model, view, latent, board, figure, caption, frames, answer, failed}: who
                        // solves; with `latent` what the first one's latent of that name reads as
let brush = null;       // the symbol that draws
let running = null;     // an AbortController, while models are at work

const modelOf = (id) => models.find((m) => m.id === id);

// ---- messages ----

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

function fail(error) {
  if (error.name === "AbortError") return;
  $("key").hidden = error.reason !== "key";
  say(error.message);
  if (error.reason === "key") $("key-text").focus();
}

// ---- the puzzle ----

function setPuzzle(next) {
  stop();
  puzzle = next;
  solution = null;
  if (puzzle.shape.kind === "sudoku" && puzzle.cells.some((s) => s !== ".")) solution = solveSudoku(puzzle);
  for (const lane of lanes) Object.assign(lane, { frames: [], answer: null, failed: null });
  player.reset();
  $("text").value = textOf(puzzle);
  show();
}

function setCell(cell, symbol) {
  if (puzzle.cells[cell] === symbol && !lanes[0].frames.length) return;
  const cells = [...puzzle.cells];
  // Of a maze there is one start and one goal.
  if (puzzle.shape.kind === "maze" && "SG".includes(symbol))
    cells.forEach((s, i) => { if (s === symbol) cells[i] = kindOf(puzzle.shape).blank(puzzle.shape); });
  cells[cell] = symbol;
  setPuzzle({ ...puzzle, cells });
}

// A text of any kind: the chosen model's first, then the first other one that takes it.
function takeText(text) {
  const chosen = lanes[0].model;
  for (const model of [chosen, ...models]) {
    const read = readPuzzle(text, shapeOf(model));
    if (!read) continue;
    say("");
    if (model !== chosen) chooseModel(model);
    setPuzzle(read);
    return true;
  }
  const count = text.replace(/\s/g, "").length;
  say(`This text of ${count} sign${count === 1 ? "" : "s"} is no puzzle of a model that is here. There ${models.length === 1 ? "is" : "are"}: ${models.map((m) => m.puzzle).join("; ")}.`);
  return false;
}

// ---- models ----

function addLane(model, { view = 0, latent = "", editable = false }) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const board = new Board(`${kindOf(shapeOf(model)).title} of ${latent || model.id}`, { editable, onDraw: drawCell, onKey: typeCell });
  figure.append(caption, board.element);
  $("boards").append(figure);
  lanes.push({ model, view, latent, board, figure, caption, frames: [], answer: null, failed: null });
}

// One model, and what is beside it: another one, a latent of its own, or as many views as are said.
function setLanes(id, { beside = "", latent = "", views = 1 } = {}) {
  stop();
  lanes = [];
  $("boards").replaceChildren();
  for (let view = 0; view < views; view++) addLane(modelOf(id), { view, editable: view === 0 });
  if (beside) addLane(modelOf(beside), {});
  if (latent) addLane(modelOf(id), { latent });
  $("beside").value = beside || latentValue(latent);
  $("views").value = views;
  document.querySelector("main").classList.toggle("two", lanes.length > 1);
  $("boards").classList.toggle("many", lanes.length > 2);
}

// Of a choice of what is beside a model: its latents, told from models by what no model is called.
const latentValue = (latent) => latent && `${latent}/`;
const latentsOf = (model) => model.latents.slice(1);

// Its board, symbols, examples and those that can stand beside it.
function chooseModel(model) {
  const shape = shapeOf(model);
  const others = models.filter((m) => m !== model && sameShape(shapeOf(m), shape));
  const counts = [1, 2, 4, 8].filter((n) => n <= countViews(emptyPuzzle(shape)));
  $("views").replaceChildren(...counts.map((n) => new Option(n)));
  $("views-label").hidden = counts.length === 1;
  setLanes(model.id);
  $("model").value = model.id;
  $("steps").value = model.steps;
  $("beside").replaceChildren(new Option("nothing", ""), ...others.map((m) => new Option(m.id)),
    ...latentsOf(model).map((name) => new Option(`its latent ${name}`, latentValue(name))));
  $("beside-label").hidden = $("beside").options.length === 1;

  $("examples").replaceChildren(...examples.filter((e) => e.model === model.id).map((e, i) => {
    const button = document.createElement("button");
    button.textContent = `Example ${i + 1}`;
    button.addEventListener("click", () => { say(""); setPuzzle(readPuzzle(e.puzzle, shape)); });
    return button;
  }));
  brush = kindOf(shape).drawn ? kindOf(shape).symbols(shape)[0][0] : null;
}

function startOf(model) {
  const example = examples.find((e) => e.model === model.id);
  return (example && readPuzzle(example.puzzle, shapeOf(model))) || emptyPuzzle(shapeOf(model));
}

// ---- writing and drawing ----

function drawPad() {
  const kind = kindOf(puzzle.shape), symbols = kind.symbols(puzzle.shape), blank = kind.blank(puzzle.shape);
  const all = kind.drawn ? symbols : [...symbols, [blank, "⌫"]];
  const key = JSON.stringify([puzzle.shape.kind, all, brush]);
  if ($("pad").key === key) return;
  $("pad").key = key;
  $("pad").replaceChildren(...all.map(([symbol, name]) => {
    const button = document.createElement("button");
    button.textContent = name;
    if (symbol === blank && !kind.drawn) button.setAttribute("aria-label", "empty the cell");
    if (kind.drawn) {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = kind.fill(symbol);
      button.prepend(swatch);
      button.setAttribute("aria-pressed", symbol === brush);
    }
    button.addEventListener("click", () => {
      if (kind.drawn) brush = symbol;
      else setCell(lanes[0].board.at, symbol);
      drawPad();
      if (!kind.drawn) lanes[0].board.focus();
    });
    return button;
  }));
}

function drawCell(cell) {
  if (brush !== null) setCell(cell, brush);
}

function typeCell(event, cell) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const kind = kindOf(puzzle.shape), symbols = kind.symbols(puzzle.shape).map(([s]) => s);
  const empty = ["Backspace", "Delete", " "].includes(event.key) || (event.key === "0" && !symbols.includes("0"));
  const symbol = empty ? kind.blank(puzzle.shape) : symbols.find((s) => s === event.key) ?? symbols.find((s) => s === event.key.toUpperCase());
  if (symbol !== undefined) {
    event.preventDefault();
    event.stopPropagation();
    setCell(cell, symbol);
  } else if (event.key === "Enter") {
    event.preventDefault();
    solve();
  }
}

// ---- solving ----

function stop() {
  running?.abort();
  running = null;
}

// Cells that have other symbols.
function differing(a, b) {
  return new Set(a.cells.flatMap((s, i) => (s === b.cells[i] ? [] : [i])));
}

function frameOf(step) {
  const answer = fromServer(step.grid, puzzle.shape);
  const given = puzzle.cells.map((s) => !kindOf(puzzle.shape).open(s));
  const wrong = new Set();
  let right = null;
  if (solution?.solutions === 1) {
    answer.cells.forEach((s, i) => { if (s !== solution.cells[i]) wrong.add(i); });
    const open = given.filter((g) => !g).length;
    right = open ? 1 - [...wrong].filter((i) => !given[i]).length / open : 1;
  }
  return {
    puzzle: answer, question: answer.cells.length === puzzle.cells.length ? puzzle : null,
    changed: new Set(step.changed), violating: violations(answer), wrong,
    confidence: step.confidence, q: step.q, right, seconds: step.seconds,
  };
}

// What the step's latent reads as, after the frames that there are of it.
function latentFrame({ latent, frames }, step) {
  const { grid } = step.latents.find(({ name }) => name === latent);
  const frame = frameOf({ ...step, grid, confidence: undefined });
  const other = differing(frame.puzzle, fromServer(step.grid, puzzle.shape)).size;
  const changed = differing(frame.puzzle, frames.at(-1)?.puzzle ?? puzzle);
  return { ...frame, changed, same: frame.puzzle.cells.length - other };
}

async function solve() {
  stop();
  say("");
  const mine = (running = new AbortController());
  for (const lane of lanes) Object.assign(lane, { frames: [], answer: null, failed: null });
  const views = viewsOf(puzzle, lanes.length), thoughts = lanes.filter((lane) => lane.latent), steps = Number($("steps").value) || 0;
  player.begin();

  // All models at once; one that fails leaves the others alone.
  await Promise.all(lanes.filter((lane) => !lane.latent).map(async (lane) => {
    try {
      const view = views[lane.view];
      const options = { model: lane.model.id, steps, latents: thoughts.length > 0, signal: mine.signal };
      lane.answer = await solver.solve(toServer(view.puzzle), options, (step) => {
        if (running !== mine) return;
        for (const thought of thoughts) thought.frames.push(latentFrame(thought, step));
        lane.frames.push(frameOf(lane.view ? undoView(view, step) : step));
        player.grow(lane.frames.length);
      });
    } catch (error) {
      if (running !== mine) return;
      lane.failed = error;
      fail(error);
    }
  }));
  if (running !== mine) return;
  running = null;
  player.end();
}

// ---- what is shown ----

const percent = (v) => `${(100 * v).toFixed(v > 0.995 && v < 1 ? 1 : 0)} %`;

function viewOf(lane) {
  const at = Math.min(player.at, lane.frames.length);
  if (at) return lane.frames[at - 1];
  return { puzzle, question: puzzle, violating: violations(puzzle), changed: blind, wrong: blind };
}

// Of several views the one whose q is highest at the end; else nobody.
function chosenLane() {
  if (lanes.length < 2 || lanes[1].view === 0 || lanes.some((lane) => !lane.answer)) return null;
  return lanes.reduce((best, lane) => (lane.answer.q > best.answer.q ? lane : best));
}

function captionOf(lane) {
  const name = document.createElement("strong");
  const viewed = lanes.length > 1 && lanes[1].view;
  name.textContent = viewed ? viewsOf(puzzle, lanes.length)[lane.view].name : lane.model.id;
  const at = Math.min(player.at, lane.frames.length), frame = lane.frames[at - 1];
  if (lane.latent) {
    name.textContent = lane.latent;
    return [name, frame ? ` · ${frame.same} of ${frame.puzzle.cells.length} cells as the answer` : " · what the model thinks with"];
  }
  if (viewed) return [name, frame ? ` · q ${frame.q.toFixed(3)}` : ""];
  return [name, frame ? ` · step ${at} · q ${frame.q.toFixed(3)}` : ` · ${lane.model.description}`];
}

function statusText() {
  const lane = lanes[0], at = Math.min(player.at, lane.frames.length), frame = lane.frames[at - 1];
  if (!frame) {
    if (running) return "The model is at work.";
    if (solution?.solutions === 0) return "As it stands this Sudoku has no solution.";
    if (solution?.solutions > 1) return "This Sudoku has more than one solution.";
    return "Press Solve, or Enter in the grid.";
  }
  const parts = [`Step ${at} of ${lane.frames.length}`, `q ${frame.q.toFixed(3)}`, `${frame.changed.size} changed`];
  if (puzzle.shape.kind === "sudoku") parts.push(`${frame.violating.size} against the rules`);
  if (frame.right !== null) parts.push(`${percent(frame.right)} of the open cells right`);
  if (at === lane.frames.length && lane.answer) {
    const { valid } = lane.answer;
    const verdict = valid === null ? "Done" : valid ? "Solved" : "Not solved";
    parts.push(`${verdict} in ${(1000 * lane.answer.seconds).toFixed(0)} ms`);
  }
  return parts.join(" · ");
}

function show() {
  if (!puzzle) return;
  const chosen = chosenLane();
  for (const lane of lanes) {
    lane.board.draw(viewOf(lane));
    lane.caption.replaceChildren(...captionOf(lane));
    lane.figure.classList.toggle("chosen", lane === chosen);
  }
  drawPad();

  // The player.
  $("solve").textContent = lanes[0].frames.length ? "Solve again" : "Solve";
  $("scrub").max = player.last;
  $("scrub").value = player.at;
  $("scrub").setAttribute("aria-valuetext", player.at ? `step ${player.at} of ${player.last}` : "the question");
  $("play").classList.toggle("playing", player.playing);
  $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  for (const id of ["first", "back"]) $(id).disabled = player.at === 0;
  for (const id of ["next", "last"]) $(id).disabled = player.at >= player.last;
  for (const id of ["play", "scrub", "save-moving"]) $(id).disabled = player.last === 0;
  const status = statusText();
  if ($("status").textContent !== status) $("status").textContent = status;

  // The chart, which has room for all steps that there will be.
  const viewed = lanes.length > 1 && lanes[1].view > 0;
  const series = lanes.map((lane, i) => (lane.latent ? {
    name: `${lane.latent} as the answer`, class: "accuracy",
    values: lane.frames.map((f) => f.same / f.puzzle.cells.length),
  } : {
    name: viewed ? (lane === chosen ? "q of the chosen view" : "") : lanes[1] && !lanes[1].latent ? `q of ${lane.model.id}` : "q",
    class: viewed ? (lane === chosen ? "q" : "other") : i ? "accuracy" : "q",
    values: lane.frames.map((f) => f.q),
  }));
  if (lanes.length === 1 && solution?.solutions === 1)
    series.push({ name: "open cells right", class: "accuracy", values: lanes[0].frames.map((f) => f.right) });
  const steps = player.last && !running ? player.last : Math.max(player.last, Number($("steps").value));
  $("chart").replaceChildren(drawChart(series, steps, player.at, (step) => player.to(step)));
}

// ---- the page's parts ----

function state() {
  const latent = lanes[1]?.latent;
  const all = { model: lanes[0].model.id, beside: latent ? "" : $("beside").value, latent, puzzle: textOf(puzzle) };
  if (Number($("views").value) > 1) all.views = $("views").value;
  if (Number($("steps").value) !== lanes[0].model.steps) all.steps = $("steps").value;
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v));
}

function openLink() {
  const from = stateOfLink();
  const model = modelOf(from.model) ?? models.find((m) => m.kind === "sudoku" && m.rows === 9) ?? models[0];
  chooseModel(model);
  const read = from.puzzle !== undefined && readPuzzle(from.puzzle, shapeOf(model));
  if (modelOf(from.beside) && sameShape(shapeOf(modelOf(from.beside)), shapeOf(model))) {
    setLanes(model.id, { beside: from.beside });
  } else if (latentsOf(model).includes(from.latent)) {
    setLanes(model.id, { latent: from.latent });
  } else if ([...$("views").options].some((o) => o.value === from.views)) {
    setLanes(model.id, { views: Number(from.views) });
  }
  if (/^\d{1,4}$/.test(from.steps ?? "")) $("steps").value = from.steps;
  setPuzzle(read || startOf(model));
  if (from.model && !modelOf(from.model)) say(`The link's model, ${from.model.slice(0, 60)}, is not here.`);
  else if (from.puzzle !== undefined && !read) say("The link's puzzle is none of this model; here is another one.");
}

function listen() {
  const on = (id, what, then) => $(id).addEventListener(what, then);
  on("solve", "click", solve);
  on("first", "click", () => player.to(0));
  on("back", "click", () => player.to(player.at - 1));
  on("next", "click", () => player.to(player.at + 1));
  on("last", "click", () => player.to(player.last));
  on("play", "click", () => player.toggle());
  on("scrub", "input", () => player.to(Number($("scrub").value)));
  on("model", "change", () => {
    say("");
    const model = modelOf($("model").value);
    chooseModel(model);
    setPuzzle(startOf(model));
  });
  on("beside", "change", () => {
    const { value } = $("beside"), latent = latentsOf(lanes[0].model).find((name) => latentValue(name) === value);
    setLanes($("model").value, latent ? { latent } : { beside: value });
    setPuzzle(puzzle);
  });
  on("views", "change", () => {
    setLanes($("model").value, { views: Number($("views").value) });
    setPuzzle(puzzle);
  });
  on("take", "click", () => takeText($("text").value));
  on("clear", "click", () => { say(""); setPuzzle(emptyPuzzle(puzzle.shape)); lanes[0].board.focus(); });
  on("key", "submit", (event) => {
    event.preventDefault();
    solver.key = $("key-text").value.trim();
    $("key").hidden = true;
    if (models.length) solve();
    else begin();
  });

  on("link", "click", async () => {
    const link = linkOf(state());
    history.replaceState(null, "", link);
    await navigator.clipboard?.writeText(link).then(() => { $("link").textContent = "Copied"; }, () => { $("link").textContent = "In the address bar"; });
    setTimeout(() => { $("link").textContent = "Copy link"; }, 2000);
  });
  const name = () => lanes[0].model.id;
  on("save", "click", () => saveAs(`${name()}-${player.at}.svg`, pictureOf([viewOf(lanes[0])], name())));
  on("save-moving", "click", () => {
    const question = { puzzle, question: puzzle };
    saveAs(`${name()}.svg`, pictureOf([question, ...lanes[0].frames], name()));
  });

  // Keys of the whole page, and a paste that no field takes.
  const isField = (e) => e.closest?.("input, textarea, select");
  addEventListener("keydown", (event) => {
    if (isField(event.target) || event.ctrlKey || event.metaKey || event.altKey || !puzzle) return;
    const act = {
      p: () => player.last && player.toggle(), P: () => player.last && player.toggle(),
      ",": () => player.to(player.at - 1), ".": () => player.to(player.at + 1),
      Home: () => player.to(0), End: () => player.to(player.last),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  addEventListener("paste", (event) => {
    if (event.target.closest?.("textarea, input:not([type=range])") || !puzzle) return;
    event.preventDefault();
    takeText(event.clipboardData.getData("text"));
  });
  addEventListener("hashchange", () => { if (models.length) { say(""); openLink(); } });
}

async function begin() {
  try {
    solver ??= await openSolver();
    [models, examples] = [await solver.models(), await solver.examples()];
  } catch (error) {
    fail(error);
    return;
  }
  $("key").hidden = true;
  say("");
  $("model").replaceChildren(...models.map((m) => new Option(`${m.id}: ${m.puzzle.split(",")[0]}`, m.id)));
  openLink();
}

for (const [picture, meaning] of legend()) {
  const sign = document.createElement("dt"), words = document.createElement("dd");
  sign.append(picture);
  words.textContent = meaning;
  $("signs").append(sign, words);
}
listen();
begin();
