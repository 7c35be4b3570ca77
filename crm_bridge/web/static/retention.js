// Retention: what will be deleted when, what each matter holds, the classes that say so, and what was deleted.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { day, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { locale, onLanguage, t } from "./i18n.js";
import { open } from "./oversight.js";
import { retention } from "./oversight-api.js";
import "./retention-class.js";
import "./retention-holds.js";

class RetentionPage extends HTMLElement {
  #reader = null;
  #overview = null;
  #classes = [];
  #receipts = [];
  #error = null;
  #report = null;
  #parts = null;

  async start(reader) {
    this.#reader = reader;
    this.#parts = { top: h("div"), holds: h("retention-holds"), classes: h("retention-classes"), end: h("div") };
    this.append(...Object.values(this.#parts));
    this.#parts.holds.canChange = reader.role !== "qa";
    this.#parts.classes.canChange = reader.role === "admin";
    for (const part of [this.#parts.holds, this.#parts.classes]) part.addEventListener("changed", () => this.#load());
    onLanguage(() => this.#draw());
    await Promise.all([this.#load(), this.#parts.holds.start()]);
  }

  async #load() {
    try {
      const [overview, classes, receipts] = await Promise.all([retention.overview(), retention.classes(), retention.receipts()]);
      this.#overview = overview;
      this.#classes = classes.items;
      this.#receipts = receipts.items;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#parts.classes.show(this.#classes);
    this.#draw();
  }

  #draw() {
    fill(this.#parts.top,
      h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.retention")), this.#run()),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#report && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#reported()),
      this.#overview && this.#figures(), this.#overview && this.#conflicts(), this.#overview && this.#months());
    fill(this.#parts.end, this.#gone());
  }

  #run() {
    if (this.#reader.role !== "admin") return h("span");
    const run = async (dryRun) => {
      try {
        this.#report = { ...(await retention.run(dryRun)), dryRun };
        this.#error = null;
      } catch (error) {
        this.#error = error;
      }
      await this.#load();
    };
    return h("p", { class: "row" }, h("button", { type: "button", class: "button", "data-focus": "try", on: { click: () => run(true) } }, t("retention.try")),
      this.#report?.dryRun && this.#report.deleted > 0 && h("button", { type: "button", class: "button", "data-focus": "run", on: { click: () => run(false) } }, t("retention.delete_now", { count: this.#report.deleted })));
  }

  #reported() {
    const kept = Object.values(this.#report.kept).reduce((sum, count) => sum + count, 0);
    return t(this.#report.dryRun ? "retention.would" : "retention.did", { count: this.#report.deleted, kept });
  }

  #figures() {
    const { over, over_but_held: stuck, held, without_date: undated, deleted, to_be_dated: waiting, last_run: last } = this.#overview;
    const figure = (value, label) => h("div", { class: "figure" }, h("strong", {}, number(value)), h("span", { class: "muted small" }, label));
    return h("div", { class: "figures" },
      figure(over - stuck, t("retention.over")), figure(stuck, t("retention.over_but_held")), figure(held, t("retention.held")),
      figure(undated + waiting, t("retention.undated")), figure(deleted, last ? t("retention.deleted_last", { when: moment(last.at) }) : t("retention.deleted")));
  }

  #conflicts() {
    return this.#overview.conflicts.map((one) => h("p", { class: "notice notice-warn", "data-conflict": one.class }, icon("warning"),
      h("span", {}, t("retention.conflict", { class: one.class, max: one.privacy_max_months, minimum: one.minimum, months: one.months }))));
  }

  #months() {
    const { months } = this.#overview;
    const most = Math.max(...months.map((one) => one.recordings), 1);
    const row = (one) => h("tr", {}, h("td", { class: "number" }, monthName(one.month)),
      h("td", { class: "number" }, number(one.recordings)), h("td", { class: "number" }, megabytes(one.bytes)), h("td", { class: "number" }, number(one.held)),
      h("td", {}, h("meter", { min: 0, max: most, value: one.recordings, "aria-label": t("retention.recordings") })));
    const head = ["retention.month", "retention.recordings", "retention.size", "retention.of_these_held"].map((key) => h("th", { class: "number", scope: "col" }, t(key)));
    return h("section", { class: "card" }, h("h2", {}, t("retention.when")),
      months.length ? h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("retention.when") }, h("table", {}, h("thead", {}, h("tr", {}, head, h("td"))), h("tbody", {}, months.map(row)))) : h("p", { class: "muted" }, t("retention.nothing_kept")));
  }

  #gone() {
    const row = (one) => h("li", { class: "line" }, h("time", { datetime: one.deleted_at, title: exact(one.deleted_at) }, moment(one.deleted_at)),
      data(one.recording_id), one.client && data(one.client), h("span", { class: "muted small" }, t("retention.recorded_at", { when: day(one.recorded_at.slice(0, 10)) })),
      one.key_destroyed && h("span", { class: "tag" }, t("retention.key_destroyed")), h("span", { class: "muted small end" }, data(one.deleted_by)));
    return h("section", { class: "card" }, h("h2", {}, t("retention.receipts")),
      this.#receipts.length ? h("ul", { class: "rows" }, this.#receipts.map(row)) : h("p", { class: "muted" }, t("retention.no_receipts")));
  }
}

const number = (value) => new Intl.NumberFormat(locale()).format(value);
const megabytes = (bytes) => new Intl.NumberFormat(locale(), { style: "unit", unit: "megabyte", maximumFractionDigits: 1 }).format(bytes / 1e6);

function monthName(month) {
  const [year, at] = month.split("-").map(Number);
  return new Intl.DateTimeFormat(locale(), { year: "numeric", month: "short" }).format(new Date(year, at - 1, 1));
}

customElements.define("retention-page", RetentionPage);
const reader = await open();
if (reader) await document.querySelector("retention-page").start(reader);
