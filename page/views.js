// Symmetric views: the same puzzle, turned or mirrored. A model answers each anew.

// Of cell (r, c) of a view of so many rows and columns: where it lies in the puzzle.
const turns = [
  ["as it is", (r, c) => [r, c], false],
  ["turned by 180°", (r, c, R, C) => [R - 1 - r, C - 1 - c], false],
  ["mirrored left to right", (r, c, R, C) => [r, C - 1 - c], false],
  ["mirrored top to bottom", (r, c, R) => [R - 1 - r, c], false],
  ["transposed", (r, c) => [c, r], true],
  ["turned by 90°", (r, c, R, C) => [C - 1 - c, r], true],
  ["turned by 270°", (r, c, R) => [c, R - 1 - r], true],
  ["transposed the other way", (r, c, R, C) => [C - 1 - c, R - 1 - r], true],
];

// Whether the rules of a kind are the same when its grid is turned: those of others are not known.
const areViewed = ({ kind }) => kind === "sudoku" || kind === "maze";

// As many as there are, up to n: {name, puzzle, place}, with place[i] of cell i of the view its cell
// in the puzzle.
export function viewsOf(puzzle, n) {
  const { shape, rows, cols, cells } = puzzle;
  const square = rows === cols && shape.boxRows === shape.boxCols;
  const able = areViewed(shape) ? turns.filter(([, , swaps]) => square || !swaps) : turns.slice(0, 1);
  return able.slice(0, n).map(([name, from]) => {
    const place = cells.map((_, i) => {
      const [r, c] = from(Math.floor(i / cols), i % cols, rows, cols);
      return r * cols + c;
    });
    return { name, place, puzzle: { ...puzzle, cells: place.map((i) => cells[i]) } };
  });
}

// A step of a view, as one of the puzzle.
export function undoView(view, step) {
  const { cols } = view.puzzle, turned = step.grid.flat();
  const flat = [], confidence = [];
  view.place.forEach((to, i) => {
    flat[to] = turned[i];
    confidence[to] = step.confidence[i];
  });
  const grid = [];
  for (let i = 0; i < flat.length; i += cols) grid.push(flat.slice(i, i + cols));
  return { ...step, grid, confidence, changed: step.changed.map((i) => view.place[i]) };
}

// How many views a puzzle has.
export const countViews = (puzzle) => viewsOf(puzzle, turns.length).length;
