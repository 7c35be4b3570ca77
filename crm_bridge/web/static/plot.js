// Bars as inline SVG: upright ones for hours and days, lying ones for names. The table beside a plot holds every figure.

import { h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 520;
const TALL = 190;
const LEFT = 44; // room for the figures of the scale
const LINES = 4;
const ROW = 24;
const NAME = 150; // room for a name
const VALUE = 60;
const MOST_NAMES = 15;

function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A figure with bars. `points` are {name, value, shown}; null values leave a gap. `label` says what it is. */
export function plot(label, points, { upright = true, top = null, scale = String } = {}) {
  const shown = upright ? points : points.slice(0, MOST_NAMES);
  const most = top ?? nice(Math.max(...shown.map((point) => point.value ?? 0), 0));
  const drawn = upright ? bars(shown, most, scale) : rows(shown, most);
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  drawn.classList.add("plot");
  return h("figure", { class: "plotted" }, h("figcaption", {}, label), drawn);
}

function bars(points, most, scale) {
  const tall = TALL + 26;
  const step = (WIDE - LEFT) / Math.max(points.length, 1);
  const every = Math.ceil(points.length / 16);
  const lines = Array.from({ length: LINES + 1 }, (_, at) => {
    const y = 8 + TALL - 8 - ((TALL - 8) * at) / LINES;
    return s("g", {}, s("line", { x1: LEFT, x2: WIDE, y1: y, y2: y, class: "grid" }), s("text", { x: LEFT - 6, y: y + 4, class: "scale" }, scale((most * at) / LINES)));
  });
  const drawn = points.map((point, at) => {
    const height = ((TALL - 8) * Math.min(point.value ?? 0, most)) / most;
    const bar = s("rect", { x: LEFT + at * step + step * 0.15, y: TALL - height, width: step * 0.7, height, class: "bar" }, s("title", {}, `${point.name}: ${point.shown}`));
    const name = at % every === 0 ? [s("text", { x: LEFT + (at + 0.5) * step, y: tall - 8, class: "name" }, point.name)] : [];
    return s("g", {}, bar, ...name);
  });
  return s("svg", { viewBox: `0 0 ${WIDE} ${tall}` }, ...lines, ...drawn);
}

function rows(points, most) {
  const drawn = points.map((point, at) => {
    const y = at * ROW;
    const width = ((WIDE - NAME - VALUE) * Math.min(point.value ?? 0, most)) / most;
    const name = point.name.length > 20 ? `${point.name.slice(0, 19)}…` : point.name;
    return s("g", {},
      s("text", { x: NAME - 10, y: y + 16, class: "row-name" }, name),
      s("rect", { x: NAME, y: y + 4, width, height: ROW - 8, class: "bar" }, s("title", {}, `${point.name}: ${point.shown}`)),
      s("text", { x: NAME + width + 6, y: y + 16, class: "row-value" }, point.shown));
  });
  return s("svg", { viewBox: `0 0 ${WIDE} ${Math.max(points.length, 1) * ROW}` }, ...drawn);
}

/** The next figure that people like to read on a scale. */
function nice(value) {
  if (value <= LINES) return LINES;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value);
}
