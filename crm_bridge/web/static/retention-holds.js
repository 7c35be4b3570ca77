// Matters that hold recordings: what each keeps, opening one, and releasing one with the reason. Fires `changed`.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { retention } from "./oversight-api.js";

const KINDS = ["litigation", "dispute", "audit", "complaint"];

class RetentionHolds extends HTMLElement {
  canChange = false;
  #items = null;
  #asking = null; // "new", or the id of the matter to release
  #error = null;

  async start() {
    onLanguage(() => this.#draw());
    await this.#load();
  }

  async #load() {
    try {
      this.#items = (await retention.holds("open")).items;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    fill(this, h("section", { class: "card" },
      h("div", { class: "card-head" }, h("h2", {}, t("holds.title")),
        this.canChange && h("button", { type: "button", class: "button button-small", "data-focus": "new-hold", on: { click: () => this.#ask("new") } }, t("holds.new"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#asking === "new" && this.#form(),
      h("ul", { class: "rows" }, (this.#items ?? []).map((item) => this.#row(item))),
      this.#items?.length === 0 && h("p", { class: "muted" }, t("holds.none"))));
  }

  #row(item) {
    const waits = item.complaint_id && !item.complaint_closed_at;
    const named = [item.cases.length && t("holds.cases", { cases: item.cases.join(", ") }), item.recordings.length && t("holds.recordings", { count: item.recordings.length })];
    return h("li", { "data-hold": item.id },
      h("div", { class: "line" }, h("strong", {}, data(item.matter)), h("span", { class: "tag", "data-tone": "warn" }, t(`holds.kind.${item.kind}`)),
        h("span", {}, t("holds.keeps", { count: item.count })),
        this.canChange && !waits && h("button", { type: "button", class: "button button-small end", "data-focus": `release-${item.id}`, on: { click: () => this.#ask(item.id) } }, t("holds.release")),
        waits && h("span", { class: "muted small end" }, t("holds.waits"))),
      h("p", { class: "small muted line" }, h("span", {}, named.filter(Boolean).join(" · ")), data(item.opened_by), h("time", { datetime: item.opened_at, title: exact(item.opened_at) }, moment(item.opened_at)), data(item.reason)),
      this.#asking === item.id && this.#releaseForm(item));
  }

  #form() {
    const kind = h("select", { name: "kind" }, KINDS.map((value) => h("option", { value }, t(`holds.kind.${value}`))));
    return h("form", { class: "form rows", on: { submit: (event) => this.#opened(event) } }, h("div", { class: "grid" },
      field("holds.matter", h("input", { name: "matter", maxlength: 255, required: true, autocomplete: "off" }), "h-matter"),
      field("holds.kind", kind, "h-kind"),
      field("holds.case", h("input", { name: "case_id", maxlength: 128, required: true, autocomplete: "off" }), "h-case"),
      field("retention.reason", h("input", { name: "reason", maxlength: 2000, required: true, autocomplete: "off" }), "h-reason")), this.#buttons("holds.open"));
  }

  #releaseForm(item) {
    return h("form", { class: "row", on: { submit: (event) => this.#released(event, item) } },
      field("retention.reason", h("input", { name: "reason", maxlength: 2000, required: true, autocomplete: "off" }), "r-reason"), this.#buttons("holds.release"));
  }

  #buttons(key) {
    return h("p", { class: "row" }, h("button", { type: "submit", class: "button button-primary" }, t(key)),
      h("button", { type: "button", class: "button button-quiet", on: { click: () => this.#ask(null) } }, t("replay.cancel")));
  }

  #ask(what) {
    this.#asking = what;
    this.#draw();
    this.querySelector("form input")?.focus();
  }

  async #opened(event) {
    event.preventDefault();
    await this.#send(() => retention.hold(Object.fromEntries(new FormData(event.target))));
  }

  async #released(event, item) {
    event.preventDefault();
    const { reason } = Object.fromEntries(new FormData(event.target));
    await this.#send(() => retention.release(item.id, reason));
  }

  async #send(act) {
    try {
      await act();
      this.#error = this.#asking = null;
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    await this.#load();
    this.dispatchEvent(new Event("changed"));
  }
}

customElements.define("retention-holds", RetentionHolds);
