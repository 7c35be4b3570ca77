// When a number may be called in the coming week: a bar a day, and the same in words.

import { cases, explain } from "./api.js";
import { fill, h } from "./dom.js";
import { locale, onLanguage, t } from "./i18n.js";

const FRESH = 60_000; // ms
const DAY_MINUTES = 1440;
const SVG = "http://www.w3.org/2000/svg";
const known = new Map(); // what was fetched a moment ago: rows are drawn again with every event

/** Set `target` ({caseId, partyId, number}), then `load()`. */
export class WeekStrip extends HTMLElement {
  target = null;
  #week = null;
  #error = null;

  connectedCallback() {
    onLanguage(() => this.isConnected && this.#draw());
    this.#draw();
  }

  /** Fetch and show, unless that was done a moment ago. */
  async load() {
    const { caseId, partyId, number } = this.target;
    const key = [caseId, partyId, number].join(" ");
    const had = known.get(key);
    try {
      this.#week = had && Date.now() - had.at < FRESH ? had.week : await cases.week(caseId, number, partyId);
      if (this.#week !== had?.week) known.set(key, { at: Date.now(), week: this.#week });
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    if (this.#error) return fill(this, h("p", { class: "small muted" }, explain(this.#error)));
    if (!this.#week) return fill(this, h("p", { class: "small muted" }, t("week.loading")));
    const days = byDay(this.#week.stretches);
    fill(this, h("h4", { class: "small" }, t("week.title")), h("ul", { class: "week" }, days.map(dayRow)));
  }
}

/** The allowed parts of each local day as minutes past midnight, for all days that the stretches touch. */
function byDay(stretches) {
  const days = new Map();
  for (const { from, until, allowed } of stretches) {
    let start = new Date(from);
    const end = new Date(until);
    while (start < end) {
      const midnight = new Date(start.getFullYear(), start.getMonth(), start.getDate());
      const next = new Date(start.getFullYear(), start.getMonth(), start.getDate() + 1);
      const stop = end < next ? end : next;
      if (!days.has(+midnight)) days.set(+midnight, { date: midnight, open: [] });
      if (allowed) days.get(+midnight).open.push({ from: start, to: stop, low: minutes(start), high: stop < next ? minutes(stop) : DAY_MINUTES });
      start = stop;
    }
  }
  return [...days.values()];
}

const minutes = (date) => date.getHours() * 60 + date.getMinutes();

const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

function dayRow({ date, open }) {
  const name = new Intl.DateTimeFormat(locale(), { weekday: "short", day: "numeric", month: "numeric" }).format(date);
  const words = open.map(({ low, high }) => `${clock(low)}–${clock(high)}`).join(", ") || t("week.closed");
  return h("li", {}, h("span", { class: "week-day" }, name), bar(open), h("span", { class: "number" }, words));
}

function bar(open) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${DAY_MINUTES} 60`, preserveAspectRatio: "none", class: "week-bar", "aria-hidden": "true" })) svg.setAttribute(name, value);
  svg.append(...[{ low: 0, high: DAY_MINUTES, closed: true }, ...open].map(({ low, high, closed }) => {
    const part = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ x: low, width: high - low, y: 0, height: 60, class: closed ? "week-shut" : "week-open" })) part.setAttribute(name, value);
    return part;
  }));
  return svg;
}

customElements.define("week-strip", WeekStrip);
