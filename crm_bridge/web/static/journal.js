// The journal: who did what, when, to what; checked against the tamper-evident log, and taken along as a file.

import { explain, fetchFile } from "./api.js";
import { data, fill, h } from "./dom.js";
import { stamp } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { journal } from "./people-api.js";

const LIMIT = 50;
const FIELDS = ["q", "kind", "actor", "agent", "case_id", "call_id"];

class JournalPage extends HTMLElement {
  #items = [];
  #next = null;
  #asked = Object.fromEntries([...FIELDS, "since", "until"].map((name) => [name, ""]));
  #may = false;
  #verified = null;
  #busy = null;
  #error = null;

  async start(reader) {
    this.#may = reader.role === "admin";
    const given = new URLSearchParams(location.search);
    for (const name of FIELDS) this.#asked[name] = given.get(name) ?? "";
    onLanguage(() => this.#draw());
    await this.#load();
  }

  #query() {
    const moment = (value) => value && new Date(value).toISOString();
    return { ...this.#asked, since: moment(this.#asked.since), until: moment(this.#asked.until) };
  }

  async #load(cursor = null) {
    await this.#try("load", async () => {
      const page = await journal.list({ ...this.#query(), limit: LIMIT, cursor });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#next = page.next_cursor;
    });
  }

  async #export() {
    await this.#try("export", async () => {
      const link = h("a", { href: URL.createObjectURL(await fetchFile(journal.address(this.#query()))), download: "journal.csv" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  }

  #verify() {
    this.#verified = null;
    return this.#try("verify", async () => { this.#verified = await journal.verify(); });
  }

  #draw() {
    const button = (name, act) => h("button", { type: "button", class: "button", disabled: this.#busy === name, "data-focus": name, on: { click: act } }, t(`journal.${name}`));
    fill(this, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.journal")), h("p", { class: "row" }, this.#may && button("verify", () => this.#verify()), button("export", () => this.#export()))),
      h("p", { class: "muted" }, t("journal.about")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      h("div", { role: "status" }, this.#busy === "verify" && h("p", { class: "muted" }, t("journal.verifying")), this.#verified && this.#told(this.#verified)),
      this.#form(), this.#table());
  }

  #told(found) {
    const counts = Object.entries(found.checked).map(([name, count]) => `${name} ${count}`).join(", ");
    if (found.holds) return h("p", { class: "notice notice-good" }, icon("check"), h("span", {}, t("journal.holds"), " ", data(counts, { class: "small" })));
    return h("div", { class: "notice notice-bad" }, icon("warning"), h("div", {}, h("p", {}, t("journal.broken", { count: found.problems.length })), h("ul", {}, found.problems.map((one) => h("li", {}, data(one))))));
  }

  #form() {
    const input = (name, type = "text") => field(`journal.${name}`, h("input", { type, value: this.#asked[name], "data-focus": `journal-${name}`, maxlength: 128, autocomplete: "off", on: { input: (event) => { this.#asked[name] = event.target.value.trim(); } } }), `journal-${name}`);
    return h("form", { class: "card form", role: "search", on: { submit: (event) => { event.preventDefault(); this.#load(); } } },
      h("div", { class: "grid" }, FIELDS.map((name) => input(name, name === "q" ? "search" : "text")), input("since", "datetime-local"), input("until", "datetime-local")),
      h("p", { class: "muted small" }, t("journal.kind_hint")),
      h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "find" }, t("journal.find"))));
  }

  #table() {
    if (this.#items.length === 0) return h("p", { class: "muted" }, t("journal.none"));
    const head = ["at", "kind", "actor", "about_what", "data"].map((name) => h("th", { scope: "col" }, t(`journal.${name}`)));
    return h("section", { class: "card" }, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("oversight.journal") },
      h("table", { class: "journal-table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, this.#items.map(row)))),
      this.#next && h("p", { class: "row" }, h("button", { type: "button", class: "button", "data-focus": "older", on: { click: () => this.#load(this.#next) } }, t("journal.older"))));
  }

  async #try(what, act) {
    this.#error = null;
    this.#busy = what;
    this.#draw();
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#busy = null;
    this.#draw();
  }
}

function row(entry) {
  const about = [entry.client && data(entry.client), entry.agent && data(entry.agent), entry.case_id && h("a", { href: `/cases/${encodeURIComponent(entry.case_id)}` }, data(entry.case_id)), entry.call_id && h("a", { href: `/qa/calls/${encodeURIComponent(entry.call_id)}` }, data(entry.call_id))].filter(Boolean);
  const empty = Object.keys(entry.data).length === 0;
  return h("tr", { "data-entry": entry.id }, h("td", {}, h("time", { datetime: entry.at }, stamp(entry.at))), h("th", { scope: "row" }, data(entry.kind)), h("td", {}, data(entry.actor)),
    h("td", {}, about.map((one) => h("p", { class: "small" }, one))),
    h("td", {}, !empty && h("details", {}, h("summary", {}, t("journal.show")), h("pre", { class: "journal-data", translate: "no" }, JSON.stringify(entry.data, null, 1)))));
}

customElements.define("journal-page", JournalPage);
const reader = await open();
if (reader) await document.querySelector("journal-page").start(reader);
