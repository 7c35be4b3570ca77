// The wallboard: big figures for a screen on the wall. Nobody's name, number or case is on it.

import { explain, serviceNow, session } from "./api.js";
import { fill, h } from "./dom.js";
import { currentLanguage, locale, onLanguage, t, useLanguage } from "./i18n.js";
import { figures } from "./people-api.js";

const EVERY = 3_000; // ms
const STALE = 20_000; // ms without an answer before the screen says so

class WallBoard extends HTMLElement {
  #found = null;
  #seen = 0;
  #error = null;

  async start() {
    onLanguage(() => this.#draw());
    for (;;) {
      await this.#look();
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  }

  async #look() {
    try {
      this.#found = await figures();
      this.#seen = Date.now();
      this.#error = null;
    } catch (error) {
      if (error.status === 401) return location.replace(`/login?next=${encodeURIComponent(location.pathname)}`);
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const found = this.#found;
    const lost = this.#error && (error403(this.#error) || Date.now() - this.#seen > STALE);
    const clock = new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hour12: false }).format(serviceNow());
    fill(this, h("p", { class: "wall-clock" }, h("time", {}, clock)), lost && h("p", { class: "banner banner-bad", role: "alert" }, explain(this.#error)), found && this.#tiles(found));
  }

  #tiles({ calls, agents, today, incidents, complaints }) {
    return h("div", { class: "wall", "aria-live": "off" },
      tile("live", calls.live, [["talking", calls.talking], ["ringing", calls.ringing], ["held", calls.held]], "big"),
      tile("waiting", calls.waiting, [], calls.waiting ? "warn" : "calm"),
      tile("agents", agents.ready, [["on_call", agents.on_call], ["wrap_up", agents.wrap_up], ["busy", agents.busy], ["away", agents.away]]),
      tile("today", today.conversations, [["attempts", today.attempts], ["inbound", today.inbound]]),
      tile("denials", today.denials, []),
      tile("incidents", incidents, [], incidents ? "bad" : "calm"),
      tile("complaints", complaints.overdue, [["open", complaints.open], ["late", complaints.everything_late]], complaints.overdue ? "bad" : "calm"));
  }
}

function tile(name, figure, parts, tone = "plain") {
  return h("section", { class: "tile", "data-tile": name, "data-tone": tone }, h("h2", {}, t(`wall.${name}`)), h("p", { class: "figure" }, String(figure)),
    parts.length > 0 && h("dl", {}, parts.map(([part, value]) => h("div", {}, h("dt", {}, t(`wall.${name}.${part}`)), h("dd", {}, String(value))))));
}

const error403 = (error) => error.status === 403;

for (const button of document.querySelectorAll("[data-choose-language]")) {
  button.addEventListener("click", () => useLanguage(button.dataset.chooseLanguage));
}

customElements.define("wall-board", WallBoard);
await useLanguage(currentLanguage());
try {
  const reader = await session.get();
  if (reader.language && reader.language !== currentLanguage()) await useLanguage(reader.language);
} catch {
  // the board's own question leads to the log-in
}
document.querySelector("wall-board").start();
