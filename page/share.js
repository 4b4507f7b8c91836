// A puzzle as a link, and boards as pictures. What is behind # in a link never goes to a server.
import { Board, svg } from "./board.js";

// ---- links ----

export function linkOf(state) {
  return `${location.origin}${location.pathname}#${new URLSearchParams(state)}`;
}

// {model, beside, latent, views, puzzle, steps}, each a text or missing.
export function stateOfLink() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

// ---- pictures ----

// The style of boards in light colours, each where its name stood: not all programs know variables.
function pictureStyle() {
  const sheet = [...document.styleSheets].find((s) => s.href.endsWith("/board.css"));
  const rules = [...sheet.cssRules].filter((rule) => rule.selectorText);
  const names = rules[0].style;
  const texts = rules.slice(1).map((rule) => rule.cssText);
  return texts.join("\n").replace(/var\((--[a-z-]+)\)/g, (_, name) => names.getPropertyValue(name).trim());
}

function drawn(view) {
  const board = new Board("");
  board.draw(view);
  for (const e of [board.element, ...board.element.querySelectorAll("*")])
    for (const name of ["role", "aria-label", "data-cell", "tabindex", "pointer-events"]) e.removeAttribute(name);
  board.element.querySelectorAll(".cursor").forEach((e) => e.remove());
  return board.element;
}

const SECONDS = 0.6, HOLD = 4; // of a step; steps that the last one stays

// The views one after the other, over and over; one view stands still.
export function pictureOf(views, title) {
  const frames = views.map(drawn);
  const [x, y, wide, high] = frames[0].getAttribute("viewBox").split(" ");
  const whole = svg("svg", { viewBox: `${x} ${y} ${wide} ${high}`, width: wide, height: high },
    svg("title", {}, title), svg("style", {}, pictureStyle()),
    svg("rect", { x, y, width: wide, height: high, fill: "#ffffff" }));
  const total = frames.length - 1 + HOLD;
  frames.forEach((frame, i) => {
    const group = svg("g", { class: "board" }, ...frame.childNodes);
    if (frames.length > 1) {
      const end = i === frames.length - 1 ? 1 : (i + 1) / total;
      const times = [0, i / total, end].filter((t, k, all) => t < 1 && all.indexOf(t) === k);
      group.setAttribute("opacity", i === frames.length - 1 ? 1 : 0);
      group.append(svg("animate", {
        attributeName: "opacity", calcMode: "discrete", dur: `${total * SECONDS}s`, repeatCount: "indefinite",
        keyTimes: times.map((t) => +t.toFixed(4)).join(";"),
        values: times.map((t) => (t >= i / total && (t < end) ? 1 : 0)).join(";"),
      }));
    }
    whole.append(group);
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(whole)}\n`;
}

export function saveAs(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
