// A grid as SVG. What a cell is told by has a form beside its colour: a corner for one that changed,
// hatching for one that breaks a rule, a stroke through one that is wrong, a bar for how sure.
import { kindOf } from "./puzzle.js";

const SPACE = "http://www.w3.org/2000/svg";
const CELL = 40, EDGE = 3;

export function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

const signs = {
  changed: () => [svg("path", { class: "corner", d: "M40 0v12l-12 -12z" })],
  violating: () => [svg("path", { class: "hatch", d: "M0 10L10 0M0 20L20 0M0 30L30 0M0 40L40 0M10 40L40 10M20 40L40 20M30 40L40 30" })],
  wrong: () => [svg("path", { class: "strike", d: "M7 33L33 7" })],
};

function inkOn(fill) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(fill.slice(i, i + 2), 16));
  return 299 * r + 587 * g + 114 * b > 140000 ? "dark" : "light";
}

// What is drawn of one cell: what stands in it, whether it was given, its signs, how sure.
function drawCell(symbol, { fill, shows, given, marks = [], sure = 1 }) {
  const parts = [svg("rect", { class: fill ? undefined : "ground", width: CELL, height: CELL, fill })];
  if (marks.includes("violating")) parts.push(...signs.violating());
  if (shows) {
    const ink = fill && inkOn(fill);
    parts.push(svg("text", { x: CELL / 2, y: CELL / 2 + 1, class: ink }, symbol));
  }
  for (const mark of ["changed", "wrong"]) if (marks.includes(mark)) parts.push(...signs[mark]());

  // How sure: a bar that is as long; none where the model is sure.
  if (sure < 0.99) {
    const width = (CELL - 8) * sure;
    if (fill) parts.push(svg("rect", { class: "under", x: 3, y: CELL - 7.5, width: width + 2, height: 5 }));
    parts.push(svg("rect", { class: "sure", x: 4, y: CELL - 6.5, width, height: 3 }));
  }
  return { parts, classes: [given && "given", fill && "filled", ...marks].filter(Boolean).join(" ") };
}

// The meaning of the signs, each with a cell that has it.
export function legend() {
  const rows = [
    ["4", { given: true, shows: true }, "was given"],
    ["4", { shows: true }, "the model's"],
    ["4", { shows: true, marks: ["changed"] }, "changed in this step"],
    ["4", { shows: true, sure: 0.5 }, "the model is unsure: the bar is how sure it is"],
    ["4", { shows: true, marks: ["violating"] }, "stands twice in a row, column or box"],
    ["4", { shows: true, marks: ["wrong"] }, "is not the solution's"],
  ];
  return rows.map(([symbol, how, meaning]) => {
    const { parts, classes } = drawCell(symbol, how);
    const cell = svg("g", { class: classes }, ...parts);
    const frame = svg("rect", { class: "rule", width: CELL, height: CELL });
    return [svg("svg", { class: "board", viewBox: "-1 -1 42 42", "aria-hidden": "true" }, cell, frame), meaning];
  });
}

export class Board {
  // onDraw(cell) when the pointer is pressed on it or drawn over it; onKey(event, cell)
  constructor(label, { editable = false, onDraw, onKey } = {}) {
    this.label = label;
    this.editable = editable;
    this.onDraw = onDraw;
    this.onKey = onKey;
    this.at = 0;
    this.element = svg("svg", { preserveAspectRatio: "xMinYMin" });
    this.size = "";
    if (editable) this.#listen();
  }

  // view: {puzzle, question, changed, violating, wrong (sets of cells), confidence (by cell)}
  draw(view) {
    const { puzzle } = view;
    const size = [puzzle.shape.kind, puzzle.rows, puzzle.cols, puzzle.shape.boxRows].join();
    if (size !== this.size) this.#build(puzzle);
    this.size = size;
    this.cols = puzzle.cols;
    const kind = kindOf(puzzle.shape);
    this.cells.forEach((cell, i) => {
      const symbol = puzzle.cells[i];
      const asked = view.question?.cells[i];
      const marks = ["changed", "violating", "wrong"].filter((m) => view[m]?.has(i));
      const how = {
        fill: kind.fill(symbol), shows: kind.shows(symbol), marks, sure: view.confidence?.[i],
        given: !kind.open(asked ?? symbol),
      };
      const key = JSON.stringify([symbol, how]);
      if (cell.key === key) return;
      cell.key = key;
      const { parts, classes } = drawCell(symbol, how);
      cell.inside.replaceChildren(...parts);
      cell.group.setAttribute("class", classes);
      cell.group.setAttribute("aria-label", this.#words(i, symbol, how));
    });
    this.#choose(Math.min(this.at, this.cells.length - 1));
  }

  focus() {
    this.cells[this.at]?.group.focus();
  }

  #words(i, symbol, { marks, given, sure = 1 }) {
    const name = symbol.trim() === "" || symbol === "." ? "empty" : symbol;
    const more = [given && "given", ...marks, sure < 0.99 && `${Math.round(100 * sure)} % sure`].filter(Boolean);
    return [`row ${Math.floor(i / this.cols) + 1}, column ${(i % this.cols) + 1}: ${name}`, ...more].join(", ");
  }

  #build({ shape, rows, cols }) {
    this.cols = cols;
    const wide = cols * CELL, high = rows * CELL;
    this.element.setAttribute("viewBox", `${-EDGE} ${-EDGE} ${wide + 2 * EDGE} ${high + 2 * EDGE}`);
    this.element.setAttribute("role", "grid");
    this.element.setAttribute("aria-label", this.label);
    this.element.setAttribute("class", ["board", !this.editable && "read",
      kindOf(shape).drawn && "drawn"].filter(Boolean).join(" "));

    // Rows of cells, then the lines over them.
    this.cells = [];
    const lines = [];
    for (let r = 0; r < rows; r++) {
      const row = svg("g", { role: "row" });
      for (let c = 0; c < cols; c++) {
        const inside = svg("g");
        const cursor = svg("rect", { class: "cursor", x: 2, y: 2, width: CELL - 4, height: CELL - 4 });
        const group = svg("g", { role: "gridcell", "data-cell": r * cols + c, tabindex: this.editable ? -1 : undefined },
          inside, cursor);
        const place = svg("g", { transform: `translate(${c * CELL} ${r * CELL})`, role: "presentation" }, group);
        row.append(place);
        this.cells.push({ group, inside, key: "" });
      }
      lines.push(row);
    }
    const ruled = (every) => {
      let d = "";
      for (let r = 0; r <= rows; r += every(0)) d += `M0 ${r * CELL}h${wide}`;
      for (let c = 0; c <= cols; c += every(1)) d += `M${c * CELL} 0v${high}`;
      return d;
    };
    lines.push(svg("path", { class: "rule", d: ruled(() => 1), "pointer-events": "none" }));
    if (shape.boxRows) {
      const d = ruled((axis) => (axis ? shape.boxCols : shape.boxRows));
      lines.push(svg("path", { class: "box", d, "pointer-events": "none" }));
    }
    this.element.replaceChildren(...lines);
  }

  #choose(cell) {
    for (const { group } of [this.cells[this.at], this.cells[cell]].filter(Boolean)) {
      group.parentNode.classList.remove("at");
      if (this.editable) group.setAttribute("tabindex", -1);
    }
    this.at = cell;
    this.cells[cell]?.group.parentNode.classList.add("at");
    if (this.editable) this.cells[cell]?.group.setAttribute("tabindex", 0);
  }

  #listen() {
    const cellAt = (event) => {
      const group = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-cell]");
      return group && this.element.contains(group) ? Number(group.dataset.cell) : -1;
    };
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

    this.element.addEventListener("pointerdown", (event) => {
      const cell = cellAt(event);
      if (cell < 0) return;
      event.preventDefault();
      this.#choose(cell);
      this.focus();
      this.painting = true;
      this.onDraw?.(cell);
    });
    this.element.addEventListener("pointermove", (event) => {
      const cell = this.painting ? cellAt(event) : -1;
      if (cell < 0 || cell === this.at) return;
      this.#choose(cell);
      this.onDraw?.(cell);
    });
    addEventListener("pointerup", () => { this.painting = false; });
    addEventListener("pointercancel", () => { this.painting = false; });

    this.element.addEventListener("focusin", (event) => {
      const group = event.target.closest("[data-cell]");
      if (group) this.#choose(Number(group.dataset.cell));
    });
    this.element.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (!move) {
        this.onKey?.(event, this.at);
        return;
      }
      const row = Math.floor(this.at / this.cols) + move[0], col = (this.at % this.cols) + move[1];
      event.preventDefault();
      if (row < 0 || col < 0 || col >= this.cols || row * this.cols >= this.cells.length) return;
      this.#choose(row * this.cols + col);
      this.focus();
    });
  }
}
