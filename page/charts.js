// Lines over the steps, each with a dash and a name of its own; a press goes to a step.
import { svg } from "./board.js";

const WIDE = 360, HIGH = 150, LEFT = 44, RIGHT = 12, TOP = 26, LOW = 24;

// series: {name (empty: not named), class, values} with values[i] of step i + 1 in 0 … 1, or null; steps: how many there may be.
export function drawChart(series, steps, at, onPick) {
  const x = (step) => LEFT + ((step - 1) / Math.max(1, steps - 1)) * (WIDE - LEFT - RIGHT);
  const y = (value) => HIGH - LOW - value * (HIGH - LOW - TOP);
  const parts = [];

  // The axes: what is between is said by the figures below the board.
  for (const value of [0, 0.5, 1]) {
    parts.push(svg("path", { class: "axis", d: `M${LEFT} ${y(value)}H${WIDE - RIGHT}` }));
    parts.push(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  for (const step of new Set([1, Math.ceil(steps / 2), steps]))
    parts.push(svg("text", { x: x(step), y: HIGH - 6, "text-anchor": "middle" }, String(step)));

  // The lines, the step that is shown, and its values.
  if (at > 0) parts.push(svg("path", { class: "now", d: `M${x(at)} ${y(0)}V${y(1)}` }));
  let legend = LEFT;
  for (const { name, class: type, values } of series) {
    const points = values.map((v, i) => [x(i + 1), y(v)]).filter((_, i) => values[i] !== null);
    parts.push(svg("polyline", { class: `line ${type}`, points: points.join(" ") }));
    if (at > 0 && values[at - 1] != null) parts.push(svg("circle", { class: type, cx: x(at), cy: y(values[at - 1]), r: 4 }));
    if (!name) continue;
    parts.push(svg("path", { class: `line ${type}`, d: `M${legend} 9h22` }));
    parts.push(svg("text", { x: legend + 28, y: 13 }, name));
    legend += 46 + 6.6 * name.length;
  }

  const words = series.map(({ name, values }) => `${name || "another"}: ${values.map((v) => v?.toFixed(3) ?? "–").join(", ")}`);
  const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": words.join(". ") }, ...parts);
  chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    const part = (((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - RIGHT);
    onPick(Math.round(1 + part * (steps - 1)));
  });
  return chart;
}
