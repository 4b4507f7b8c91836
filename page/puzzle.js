// Kinds of puzzles: what their cells may be, how their texts read, how the server writes them.
//
// A shape is {kind, rows, cols, boxRows, boxCols, sized, symbols}; with `sized`, rows and cols are the
// most that a grid may have. A puzzle is {shape, rows, cols, cells}, cells being symbols, row by row.

const DIGITS = "123456789ABCDEFG";
const ARC = ["#000000", "#0074D9", "#FF4136", "#2ECC40", "#FFDC00", "#AAAAAA", "#F012BE", "#FF851B",
  "#7FDBFF", "#870C25"];
const ARC_NAMES = ["black", "blue", "red", "green", "yellow", "grey", "magenta", "orange", "sky",
  "maroon"];
const MAZE = {
  "#": ["wall", "#333333"], " ": ["open", "#F2F2F2"], S: ["start", "#2ECC40"],
  G: ["goal", "#FF4136"], o: ["way", "#FFDC00"],
};
const TINTS = ["#F2F2F2", "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB",
  "#EE8866", "#99DDFF", "#77AADD", "#FFAABB"];

// Each kind:
//   blank      of a shape, the symbol of an empty cell
//   drawn      cells are painted with a symbol that was chosen, not written one by one
//   open       whether the model may change a cell of that symbol
//   symbols    of a shape, [symbol, name] each: those that are written or drawn
//   fill       the colour of a symbol, or nothing
//   shows      whether the symbol is written into its cell
//   rows       what a text has, as arrays of symbols, or null if it is no such text
//   toServer, fromServer   a cell
const kinds = {
  sudoku: {
    title: "Sudoku", blank: () => ".", drawn: false,
    open: (symbol) => symbol === ".",
    symbols: (shape) => shape.symbols.filter((s) => s !== ".").map((s) => [s, s]),
    fill: () => undefined,
    shows: (symbol) => symbol !== ".",
    rows(text, shape) {
      const lines = text.split(/\n/).filter((line) => !/^[\s|+=-]*$/.test(line) || /^-+$/.test(text));
      const symbols = [...lines.join("").replace(/[\s|+,;\/]/g, "").toUpperCase()]
        .map((c) => ("0_*X?-".includes(c) ? "." : c));
      if (symbols.length !== shape.rows * shape.cols) return null;
      if (symbols.some((s) => !shape.symbols.includes(s))) return null;
      return cut(symbols, shape.cols);
    },
    toServer: (symbol) => DIGITS.indexOf(symbol) + 1,
    fromServer: (cell) => DIGITS[cell - 1] ?? ".",
  },
  maze: {
    title: "maze", blank: () => " ", drawn: true,
    open: (symbol) => symbol === " ",
    symbols: () => ["#", " ", "S", "G"].map((s) => [s, MAZE[s][0]]),
    fill: (symbol) => MAZE[symbol]?.[1],
    shows: (symbol) => "SGo".includes(symbol), // the way, too: yellow beside grey is not for all eyes
    rows(text) {
      const rows = text.replace(/\n+$/, "").split(/[\/\n]/).map((line) => [...line.replace(/[._o]/g, " ")]);
      return rows.flat().every((s) => "# SG".includes(s)) ? rows : null;
    },
    toServer: (symbol) => symbol,
    fromServer: (cell) => cell ?? "?",
  },
  arc: {
    title: "ARC", blank: () => "0", drawn: true,
    open: () => true,
    symbols: () => ARC_NAMES.map((name, i) => [String(i), name]),
    fill: (symbol) => ARC[symbol],
    shows: () => false,
    rows: (text) => listed(text, (s) => /^[0-9]$/.test(s)),
    toServer: (symbol) => Number(symbol),
    fromServer: (cell) => String(cell ?? "?"),
  },
  grid: {
    title: "grid", drawn: true,
    blank: ({ symbols }) => [".", " ", symbols[0]].find((s) => symbols.includes(s)),
    open: () => true,
    symbols: (shape) => shape.symbols.map((s) => [s, s === " " ? "blank" : s]),
    fill: (symbol) => TINTS[symbol === "." ? 0 : [...symbol].reduce((n, c) => n + c.codePointAt(0), 0) % TINTS.length],
    shows: () => true,
    rows(text, { symbols }) {
      const rows = listed(text, () => true);
      const dot = symbols.includes(".") || !symbols.includes(" ") ? "." : " "; // as trm writes a space
      const read = rows?.map((row) => row.map((s) => (s === "." ? dot : s)));
      return read?.flat().every((s) => symbols.includes(s)) ? read : null;
    },
    toServer: (symbol) => (/^-?(0|[1-9][0-9]*)$/.test(symbol) ? Number(symbol) : symbol),
    fromServer: (cell) => String(cell ?? "?"),
  },
};

export const kindOf = (shape) => kinds[shape.kind];

function cut(symbols, cols) {
  const rows = [];
  for (let i = 0; i < symbols.length; i += cols) rows.push(symbols.slice(i, i + cols));
  return rows;
}

// Rows as JSON, or lines of symbols with or without spaces between them.
function listed(text, allowed) {
  let rows;
  try {
    rows = JSON.parse(text).map((row) => row.map(String));
  } catch {
    rows = text.trim().split(/[\/\n]/)
      .map((line) => (/\S\s+\S/.test(line) ? line.trim().split(/\s+/) : [...line.trim()]));
  }
  return rows.flat().every(allowed) ? rows : null;
}

// What a model takes, as a solver's models() says it.
export function shapeOf({ kind, rows, cols, box_rows, box_cols, sized, symbols }) {
  return { kind, rows, cols, boxRows: box_rows, boxCols: box_cols, sized, symbols };
}

export const sameShape = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export function emptyPuzzle(shape) {
  const rows = shape.sized ? Math.min(shape.rows, 10) : shape.rows;
  const cols = shape.sized ? Math.min(shape.cols, 10) : shape.cols;
  return { shape, rows, cols, cells: Array(rows * cols).fill(kindOf(shape).blank(shape)) };
}

// The puzzle of a text for a shape, or null.
export function readPuzzle(text, shape) {
  const rows = kindOf(shape).rows(text.replace(/\r/g, ""), shape);
  if (!rows?.length || !rows[0].length || rows.some((row) => row.length !== rows[0].length)) return null;
  const fits = shape.sized ? rows.length <= shape.rows && rows[0].length <= shape.cols
    : rows.length === shape.rows && rows[0].length === shape.cols;
  if (!fits) return null;
  return { shape, rows: rows.length, cols: rows[0].length, cells: rows.flat() };
}

// One line of text, as readPuzzle and trm solve take it.
export function textOf(puzzle) {
  const { shape, cells, cols } = puzzle;
  if (shape.kind === "sudoku") return cells.join("");
  const between = cells.some((s) => [...s].length > 1) ? " " : "";
  const rows = cut(cells, cols).map((row) => row.join(between));
  const spaces = !between && !shape.symbols.includes("."); // a maze's, and those of some grids
  return spaces ? rows.join("/").replaceAll(" ", ".") : rows.join("/");
}

export const toServer = (puzzle) => cut(puzzle.cells.map(kindOf(puzzle.shape).toServer), puzzle.cols);

export function fromServer(rows, shape) {
  return {
    shape, rows: rows.length, cols: rows[0]?.length ?? 0,
    cells: rows.flat().map(kindOf(shape).fromServer),
  };
}

// Cells of a Sudoku whose digit stands twice in a row, column or box; of other kinds none are known.
export function violations(puzzle) {
  const { shape, rows, cols, cells } = puzzle;
  const bad = new Set();
  if (shape.kind !== "sudoku") return bad;
  const seen = new Map();
  for (let i = 0; i < rows * cols; i++) {
    if (cells[i] === ".") continue;
    for (const unit of unitsOf(shape, i)) {
      const key = unit + cells[i];
      if (seen.has(key)) bad.add(i).add(seen.get(key));
      seen.set(key, i);
    }
  }
  return bad;
}

// Names of the row, column and box of a cell.
export function unitsOf(shape, cell) {
  const row = Math.floor(cell / shape.cols), col = cell % shape.cols;
  return [`r${row}:`, `c${col}:`, `b${Math.floor(row / shape.boxRows)},${Math.floor(col / shape.boxCols)}:`];
}
