// The curves of several runs over one axis: lines with dashes and marks, each with its letter at its
// end, and its name where there is room.
import { svg } from "./board.js";
import { countText, drawLine, drawMark, durationText, isLoss, isShare, tickText, valueText } from "./runs-look.js";

const LEFT = 56, TOP = 12, LOW = 26, LINE = 14; // LINE: between two names
const NAMES = 560, NEAR = 70;                   // pixels from which on there are names; between ends
const APART = 40;                               // pixels from one mark to the next, at least
const MOST = 40, HUGE = 1e300;                  // ticks of an axis; what an axis goes to

// A round step, of which about n are between two values; and its multiples between them.
function stepOf(low, high, n) {
  const rough = (high - low) / n, power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
}

// Counted, for between huge values a step may be too small to get from one tick to the next.
function ticksOf(low, high, step) {
  const first = Math.ceil(low / step), n = Math.floor(high / step + 1e-6) - first + 1;
  return Array.from({ length: Math.min(n, MOST) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function decadesOf(low, high) {
  const ticks = [];
  for (let e = Math.floor(Math.log10(low)); 10 ** e <= high; e++) if (10 ** e >= low) ticks.push(10 ** e);
  return ticks.length > 1 ? ticks : [low, high];
}

// What is shown of the values: shares from 0 to 1, others as far as they go.
function scaleOf(key, values, logarithmic) {
  if (isShare(key)) return { low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1], at: (v) => v };
  const positive = values.filter((v) => v > 0);
  if (logarithmic && isLoss(key) && positive.length) {
    const low = Math.min(...positive), high = Math.max(...positive) * 1.001;
    const span = Math.log(high / low);
    return { low, high, ticks: decadesOf(low, high), at: (v) => Math.log(Math.max(v, low) / low) / span };
  }
  let [low, high] = [Math.min(...values), Math.max(...values)].map((v) => Math.min(HUGE, Math.max(-HUGE, v)));
  if (low >= 0 && low < high / 2) low = 0;
  if (low === high) [low, high] = [low - Math.abs(low) / 2 - 0.5, high + Math.abs(high) / 2 + 0.5];
  const step = stepOf(low, high, 4);
  [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step - 1e-6) * step];
  return { low, high, ticks: ticksOf(low, high, step), at: (v) => (v - low) / (high - low) };
}

// Heights of names so that none covers another, as near as can be to where they belong.
function spread(wanted, low, high) {
  const order = wanted.map((y, i) => [y, i]).sort((a, b) => a[0] - b[0]);
  const placed = [];
  let next = low;
  for (const [y, i] of order) {
    placed[i] = Math.max(next, y);
    next = placed[i] + LINE;
  }
  let least = high;
  for (const [, i] of order.reverse()) {
    placed[i] = Math.min(placed[i], least);
    least = placed[i] - LINE;
  }
  return placed;
}

// The same of names that begin at several x: only those that are near one another are in each
// other's way.
function spreadNear(ends, low, high) {
  const order = ends.map((end, i) => [...end, i]).sort((a, b) => a[0] - b[0]);
  const placed = [];
  while (order.length) {
    const group = [order.shift()];
    while (order.length && order[0][0] - group[group.length - 1][0] < NEAR) group.push(order.shift());
    const heights = spread(group.map(([, y]) => y), low, high);
    group.forEach(([, , i], k) => { placed[i] = heights[k]; });
  }
  return placed;
}

// The value of a curve at x, between its points; null before its first and behind its last.
export function valueAt({ x, y }, at) {
  if (!x.length || at < x[0] || at > x[x.length - 1]) return null;
  const i = x.findIndex((v) => v >= at);
  if (i === 0 || x[i] === at) return y[i];
  return y[i - 1] + ((y[i] - y[i - 1]) * (at - x[i - 1])) / (x[i] - x[i - 1]);
}

// curves: {name, look, x, y} of each run, numbers without gaps; at: where a line stands, or null;
// onPick(x) when the pointer is over an x.
export function drawCurves(width, { key, over, curves, most, at, logarithmic }, onPick) {
  const high = Math.round(Math.min(300, Math.max(190, width * 0.55)));
  const named = width >= NAMES;
  const longest = Math.max(0, ...curves.map((c) => c.name.length));
  const right = named ? Math.min(width * 0.3, 34 + 6.6 * longest) : 24;
  const values = curves.flatMap((c) => c.y);
  const parts = [];
  if (!values.length) {
    parts.push(svg("text", { x: width / 2, y: high / 2, "text-anchor": "middle" }, "nothing yet"));
    return svg("svg", { width, height: high, role: "img", "aria-label": `${key}: nothing yet` }, ...parts);
  }
  const scale = scaleOf(key, values, logarithmic), inner = width - LEFT - right;
  const toX = (x) => LEFT + (x / most) * inner;
  const toY = (v) => high - LOW - scale.at(v) * (high - LOW - TOP);

  // The axes.
  for (const v of scale.ticks) {
    parts.push(svg("path", { class: "axis", d: `M${LEFT} ${toY(v)}H${LEFT + inner}` }));
    parts.push(svg("text", { x: LEFT - 7, y: toY(v) + 4, "text-anchor": "end" }, tickText(key, v)));
  }
  for (const v of ticksOf(0, most, stepOf(0, most, Math.max(2, Math.floor(inner / 90))))) {
    const text = over === "seconds" ? durationText(v) : countText(v);
    parts.push(svg("text", { x: toX(v), y: high - 8, "text-anchor": v === 0 ? "start" : "middle" }, text));
  }
  if (at !== null) parts.push(svg("path", { class: "now", d: `M${toX(at)} ${TOP}V${high - LOW}` }));

  // The lines, their marks, and their names at their ends.
  const ends = curves.map(({ x, y }) => [toX(x[x.length - 1]), toY(y[y.length - 1])]);
  const tags = spreadNear(ends, TOP, high - LOW);
  curves.forEach(({ name, look, x, y }, i) => {
    const points = x.map((v, k) => `${toX(v).toFixed(1)},${toY(y[k]).toFixed(1)}`).join(" ");
    parts.push(drawLine(look, { points }));
    for (let k = x.length - 1, last = Infinity; k >= 0; k--) {
      if (last - toX(x[k]) < APART) continue;
      last = toX(x[k]);
      parts.push(drawMark(look, last, toY(y[k])));
    }
    const [end] = ends[i];
    const room = Math.floor((width - end - 24) / 6.6);
    const text = named && room > 4 ? `${look.tag} ${name.length > room ? `${name.slice(0, room - 1)}…` : name}` : look.tag;
    parts.push(svg("text", { class: "tag", x: end + 8, y: tags[i] + 4 }, text));
    if (at !== null && valueAt({ x, y }, at) !== null) parts.push(drawMark(look, toX(at), toY(valueAt({ x, y }, at))));
  });

  const words = curves.map((c) => `${c.look.tag}, ${c.name}: ${valueText(key, c.y[c.y.length - 1])}`);
  const chart = svg("svg", { width, height: high, role: "img", "aria-label": `${key}. At the end of each: ${words.join("; ")}` }, ...parts);
  const pick = (event) => {
    const part = (event.clientX - chart.getBoundingClientRect().left - LEFT) / inner;
    onPick(Math.min(1, Math.max(0, part)) * most);
  };
  chart.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") pick(event); });
  chart.addEventListener("pointerdown", pick);
  return chart;
}
