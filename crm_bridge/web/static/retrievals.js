// Retrieval requests (S53): name cases or calls, see what is due when, and hand the bundles over.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { retrievals } from "./oversight-api.js";

const REFRESH = 30_000; // ms

class RetrievalDesk extends HTMLElement {
  #items = null;
  #cursor = null;
  #error = null;
  #asking = false;
  #fetching = null;

  async start() {
    onLanguage(() => this.#draw());
    await this.#load(null);
    setInterval(() => !this.#asking && !this.#fetching && !this.#cursor && this.#load(null), REFRESH);
  }

  async #load(cursor) {
    try {
      const page = await retrievals.list({ cursor, limit: 50 });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    fill(this,
      h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.retrievals")),
        h("button", { type: "button", class: "button button-primary", "data-focus": "new", "aria-expanded": String(this.#asking), on: { click: () => this.#toggle() } }, t("retrievals.new"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#asking && this.#form(),
      h("section", { class: "card" },
        h("ul", { class: "rows" }, (this.#items ?? []).map((item) => this.#row(item))),
        this.#items?.length === 0 && h("p", { class: "muted", role: "status" }, t("retrievals.none"))),
      this.#cursor && h("button", { type: "button", class: "button", on: { click: () => this.#load(this.#cursor) } }, t("cases.more")));
  }

  #toggle() {
    this.#asking = !this.#asking;
    this.#draw();
    this.querySelector("#cases")?.focus();
  }

  #form() {
    const cases = h("textarea", { name: "cases", rows: 3, maxlength: 20_000, "aria-describedby": "names-hint", "data-focus": "cases" });
    const calls = h("textarea", { name: "calls", rows: 3, maxlength: 20_000, "aria-describedby": "names-hint", "data-focus": "calls" });
    const reason = h("input", { name: "reason", maxlength: 2000, autocomplete: "off", required: true, "data-focus": "reason" });
    return h("form", { class: "card form", on: { submit: (event) => this.#ask(event, names(cases), names(calls), reason.value.trim()), keydown: (event) => event.key === "Escape" && this.#toggle() } },
      h("div", { class: "grid" }, field("retrievals.cases", cases, "cases"), field("retrievals.calls", calls, "calls")),
      h("p", { class: "small muted", id: "names-hint" }, t("retrievals.hint")),
      field("retrievals.reason", reason, "reason"),
      h("div", { class: "row" },
        h("button", { type: "submit", class: "button button-primary" }, t("retrievals.ask")),
        h("button", { type: "button", class: "button button-quiet", on: { click: () => this.#toggle() } }, t("replay.cancel"))));
  }

  async #ask(event, cases, calls, reason) {
    event.preventDefault();
    try {
      await retrievals.ask({ cases, calls, reason });
    } catch (error) {
      this.querySelector("[data-problem]")?.remove();
      this.querySelector("form").append(h("p", { class: "notice notice-bad", role: "alert", "data-problem": "" }, icon("warning"), h("span", {}, explain(error), " ", data(error.members?.detail ?? ""))));
      return;
    }
    this.#asking = false;
    await this.#load(null);
  }

  #row(item) {
    const done = item.state === "done";
    const late = !done && (item.missed_at !== null || new Date(item.deadline_at) < new Date());
    const state = done ? "done" : late ? "late" : "open";
    return h("li", { "data-retrieval": item.id },
      h("div", { class: "line" },
        h("span", { class: "tag", "data-tone": late ? "bad" : done ? "good" : null }, t(`retrievals.state.${state}`)),
        h("span", { class: "small" }, t("retrievals.due"), " ", h("time", { datetime: item.deadline_at, title: exact(item.deadline_at) }, moment(item.deadline_at))),
        h("span", { class: "end row" },
          h("button", { type: "button", class: "button button-small", "data-focus": `get-${item.id}`, disabled: this.#fetching === item.id, on: { click: () => this.#fetch(item) } },
            t(this.#fetching === item.id ? "retrievals.preparing" : "retrievals.download")),
          !done && h("button", { type: "button", class: "button button-small button-quiet", "data-focus": `done-${item.id}`, on: { click: () => this.#done(item) } }, t("retrievals.done")))),
      h("p", {}, data(item.reason)),
      h("p", { class: "small line muted" },
        item.cases.length > 0 && h("span", {}, t("retrievals.cases"), " ", data(item.cases.join(", "))),
        item.calls.length > 0 && h("span", {}, t("retrievals.calls"), " ", data(item.calls.join(", "))),
        h("span", {}, data(item.requested_by), " ", moment(item.requested_at)),
        done && h("span", {}, t("retrievals.handed"), " ", data(item.done_by), " ", moment(item.done_at))));
  }

  // The zip is made while the request lasts, so it is fetched whole before it is saved: an error then shows as one.
  async #fetch(item) {
    this.#fetching = item.id;
    this.#draw();
    try {
      const link = h("a", { href: URL.createObjectURL(await retrievals.bundles(item.id)), download: `retrieval-${item.id}.zip` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#fetching = null;
    if (this.#error) this.#draw();
    else await this.#load(null);
  }

  async #done(item) {
    try {
      await retrievals.done(item.id);
      await this.#load(null);
    } catch (error) {
      this.#error = error;
      this.#draw();
    }
  }
}

const names = (control) => control.value.split(/[\s,;，；]+/).filter((name) => name !== "");

customElements.define("retrieval-desk", RetrievalDesk);
if (await open()) await document.querySelector("retrieval-desk").start();
