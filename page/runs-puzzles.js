// A few puzzles side by side, as a checkpoint solves them, and the step that is shown of all.
import { Board } from "./board.js";
import { Player } from "./player.js";
import { fromServer, kindOf, shapeOf, violations } from "./puzzle.js";

const $ = (id) => document.getElementById(id);

// A step as a view of a board.
function viewOf(puzzle, solution, step) {
  const answer = fromServer(step.grid, puzzle.shape), wrong = new Set();
  if (answer.cells.length === solution.cells.length)
    answer.cells.forEach((s, i) => { if (s !== solution.cells[i]) wrong.add(i); });
  return {
    puzzle: answer, question: answer.cells.length === puzzle.cells.length ? puzzle : null,
    changed: new Set(step.changed), violating: violations(answer), wrong, confidence: step.confidence, q: step.q,
  };
}

export class Puzzles {
  constructor() {
    this.shown = "";
    this.lanes = [];
    this.player = new Player(() => this.#draw());
    const on = (id, what, then) => $(id).addEventListener(what, then);
    on("first", "click", () => this.player.to(0));
    on("back", "click", () => this.player.to(this.player.at - 1));
    on("next", "click", () => this.player.to(this.player.at + 1));
    on("last", "click", () => this.player.to(this.player.last));
    on("play", "click", () => this.player.toggle());
    on("scrub", "input", () => this.player.to(Number($("scrub").value)));
    addEventListener("keydown", (event) => {
      const field = event.target.closest?.("input, select, textarea");
      if (field || event.ctrlKey || event.metaKey || event.altKey || !this.lanes.length) return;
      const act = {
        p: () => this.player.toggle(), P: () => this.player.toggle(),
        ",": () => this.player.to(this.player.at - 1), ".": () => this.player.to(this.player.at + 1),
        Home: () => this.player.to(0), End: () => this.player.to(this.player.last),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  // run: of /v1/runs; told: of /v1/runs/puzzles, or null
  show(run, told) {
    const solved = told?.solved;
    const shown = solved ? `${run.id}:${solved.update}` : `${run?.id}:${told?.problem}`;
    if (shown === this.shown) return;
    const watches = this.lanes.length && this.player.at === this.player.last && !this.player.playing;
    this.shown = shown;
    this.update = solved?.update;
    this.split = solved?.split;
    this.words = !run ? "" : told?.problem ? `There are no puzzles to show: ${told.problem}`
      : ["new", "running"].includes(run.stage) ? "There is no checkpoint yet: the first evaluation, or ten minutes, will bring one."
      : "There is no checkpoint.";
    this.lanes = (solved?.puzzles ?? []).map((p, i) => this.#lane(p, shapeOf(solved.model), i));
    $("boards").replaceChildren(...this.lanes.map((lane) => lane.figure));
    $("controls").hidden = !this.lanes.length;

    // Who looks at the last step goes on to do so; else the steps are played.
    const last = Math.max(0, ...this.lanes.map((lane) => lane.views.length));
    if (watches) this.player.reset();
    else this.player.begin();
    this.player.grow(last);
    this.player.end();
    if (watches || !last) this.player.to(last);
  }

  #lane({ question, solution, right, valid, steps }, shape, i) {
    const puzzle = fromServer(question, shape), answer = fromServer(solution, shape);
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const board = new Board(`${kindOf(shape).title} ${i + 1}`);
    figure.append(caption, board.element);
    return { puzzle, right, valid, figure, caption, board, views: steps.map((s) => viewOf(puzzle, answer, s)) };
  }

  #draw() {
    const { player } = this;
    for (const [i, lane] of this.lanes.entries()) {
      const at = Math.min(player.at, lane.views.length), view = lane.views[at - 1];
      lane.board.draw(view ?? { puzzle: lane.puzzle, question: lane.puzzle });
      const name = document.createElement("strong");
      name.textContent = `Puzzle ${i + 1}`;
      const end = at && at === lane.views.length;
      const verdict = lane.right ? "right" : lane.valid ? "valid" : "wrong";
      lane.caption.replaceChildren(name, view ? ` · q ${view.q.toFixed(3)}${end ? ` · ${verdict}` : ""}` : "");
    }
    $("scrub").max = player.last;
    $("scrub").value = player.at;
    $("scrub").setAttribute("aria-valuetext", player.at ? `step ${player.at} of ${player.last}` : "the puzzles");
    for (const id of ["first", "back"]) $(id).disabled = player.at === 0;
    for (const id of ["next", "last"]) $(id).disabled = player.at === player.last;
    $("play").classList.toggle("playing", player.playing);
    $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
    $("status").textContent = this.lanes.length ? this.#statusText() : this.words;
  }

  #statusText() {
    const n = this.lanes.length, good = this.lanes.filter((lane) => lane.right || lane.valid).length;
    const where = this.player.at ? `Step ${this.player.at} of ${this.player.last}` : "The puzzles";
    const set = this.split === "test" ? "test set" : "training set";
    return `${where} · the checkpoint of update ${this.update.toLocaleString("en")} solves ${good} of these ${n} of the ${set}`;
  }
}
