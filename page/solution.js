// The solution of a Sudoku, by search: what a model's answer is compared with.
import { unitsOf } from "./puzzle.js";

const NODES = 200000; // of the search, at most

// {solutions: 0, 1 or 2 (and more), cells}; null where the search did not end.
export function solveSudoku(puzzle) {
  const { shape, cells } = puzzle;
  const digits = [..."123456789ABCDEFG"].slice(0, shape.rows);
  const units = cells.map((_, i) => unitsOf(shape, i));
  const used = new Set();
  const now = [...cells];
  let found = null, solutions = 0, nodes = 0;

  const fits = (i, digit) => units[i].every((u) => !used.has(u + digit));
  const put = (i, digit) => { now[i] = digit; units[i].forEach((u) => used.add(u + digit)); };
  const take = (i) => { units[i].forEach((u) => used.delete(u + now[i])); now[i] = "."; };
  for (let i = 0; i < cells.length; i++) {
    if (cells[i] === ".") continue;
    if (!fits(i, cells[i])) return { solutions: 0, cells: null };
    put(i, cells[i]);
  }

  // The cell with the fewest choices is next; a second solution ends the search.
  const search = () => {
    if (++nodes > NODES) return;
    let cell = -1, choices = null;
    for (let i = 0; i < now.length; i++) {
      if (now[i] !== ".") continue;
      const may = digits.filter((d) => fits(i, d));
      if (!choices || may.length < choices.length) { cell = i; choices = may; }
      if (choices.length < 2) break;
    }
    if (!choices) {
      found ??= [...now];
      solutions++;
      return;
    }
    for (const digit of choices) {
      put(cell, digit);
      search();
      take(cell);
      if (solutions > 1 || nodes > NODES) return;
    }
  };
  search();
  return nodes > NODES ? null : { solutions, cells: found };
}
