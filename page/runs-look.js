// How runs are told apart: each has a letter, a colour, a dash and a mark of its own, the same in the
// charts and in the table; and how their figures read.
import { svg } from "./board.js";

const DASHES = ["", "8 4", "2 3", "10 3 2 3"];
const MARKS = [
  (x, y) => ["circle", { cx: x, cy: y, r: 3.6 }],
  (x, y) => ["rect", { x: x - 3.2, y: y - 3.2, width: 6.4, height: 6.4 }],
  (x, y) => ["path", { d: `M${x} ${y - 4.4}l4.4 7.6h-8.8z` }],
  (x, y) => ["path", { d: `M${x} ${y - 4.8}l4.8 4.8 -4.8 4.8 -4.8 -4.8z` }],
  (x, y) => ["path", { d: `M${x} ${y + 4.4}l4.4 -7.6h-8.8z` }],
];
const COLOURS = 8;

// "A" … "Z", "AA" … of 0, 1, …
export function tagOf(i) {
  return (i < 26 ? "" : tagOf(Math.floor(i / 26) - 1)) + String.fromCharCode(65 + (i % 26));
}

export const lookOf = (i) => ({
  tag: tagOf(i), colour: `var(--run-${i % COLOURS})`,
  dash: DASHES[i % DASHES.length], mark: MARKS[i % MARKS.length],
});

export function drawMark(look, x, y) {
  const [name, attributes] = look.mark(x, y);
  return svg(name, { class: "mark", fill: look.colour, ...attributes });
}

export function drawLine(look, attributes) {
  return svg("polyline", { class: "curve", stroke: look.colour, "stroke-dasharray": look.dash || undefined, ...attributes });
}

export function swatchOf(look) {
  return svg("svg", { viewBox: "0 0 54 19", "aria-hidden": "true" }, drawLine(look, { points: "1,10 53,10" }), drawMark(look, 27, 10));
}

// ---- figures as words ----

export const isShare = (key) => /accuracy|pass@/.test(key);
export const isLoss = (key) => /loss|residual|grad_norm|\/lr$/.test(key);

export function valueText(key, v) {
  if (v === null || v === undefined) return "–";
  if (isShare(key)) return `${(100 * v).toFixed(v > 0 && v < 1 ? 1 : 0)} %`;
  const size = Math.abs(v);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return v.toExponential(2);
  return String(Number(v.toPrecision(4)));
}

// Beside an axis there is no room for zeros.
export const tickText = (key, v) => (isShare(key) ? `${Math.round(100 * v)} %` : valueText(key, v).replace(/\.?0+e/, "e"));

export function countText(n) {
  return Math.round(n).toLocaleString("en");
}

export function durationText(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const overText = (over, x) => (over === "seconds" ? durationText(x) : `${countText(x)} ${over}`);
