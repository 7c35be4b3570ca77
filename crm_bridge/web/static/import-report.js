// What was found in a file, row by row, and what became of it.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { imports } from "./import-api.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";

const PAGE = 50;
const FIGURES = ["rows", "ready", "bad", "warned", "created", "updated", "unchanged", "refused"];

/** `show(file)`; reads its rows by itself, and again when its counts change. */
class ImportReport extends HTMLElement {
  #file = null;
  #outcome = "bad";
  #rows = null;
  #cursor = null;
  #error = null;
  #asked = 0;

  constructor() {
    super();
    onLanguage(() => this.isConnected && this.#draw());
  }

  show(file) {
    const same = file.id === this.#file?.id && JSON.stringify(file.counts) === JSON.stringify(this.#file.counts) && file.state === this.#file.state;
    if (file.id !== this.#file?.id) this.#outcome = file.counts.bad ? "bad" : "";
    this.#file = file;
    if (!same) this.#load(null);
    this.#draw();
  }

  async #load(cursor) {
    const asked = ++this.#asked;
    try {
      const page = await imports.rows(this.#file.id, { outcome: this.#outcome, cursor, limit: PAGE });
      if (asked !== this.#asked) return;
      this.#rows = cursor ? [...this.#rows, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
      this.#error = null;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const file = this.#file;
    const paper = (what, format) => imports.paper(file.id, what, { format, language: currentLanguage() });
    fill(this,
      h("div", { class: "figures" }, FIGURES.filter((name) => file.counts[name] !== undefined).map((name) => this.#figure(name, file.counts[name]))),
      file.problems.map((one) => h("p", { class: `notice notice-${one.level === "error" ? "bad" : "warn"}` }, icon("warning"), h("span", {}, data(told(one)), " ", data(mend(one), { class: "muted" })))),
      h("section", { class: "card" },
        h("div", { class: "card-head" }, h("h3", {}, t("import.rows")), this.#filter(),
          h("span", { class: "row" }, ["xlsx", "csv"].map((format) => h("a", { class: "button button-small", href: paper("report", format), download: "" }, t("import.problems_as", { format: format.toUpperCase() }))))),
        this.#error && h("p", { class: "notice notice-bad", role: "alert" }, explain(this.#error)),
        this.#rows && this.#table()));
  }

  #figure(name, count) {
    return h("div", { class: "figure", "data-figure": name, "data-tone": name === "bad" || name === "refused" ? (count ? "bad" : "") : "" },
      h("strong", {}, String(count)), h("span", { class: "muted" }, t(`import.count.${name}`)));
  }

  #filter() {
    const values = ["", "bad", "ready", "created", "updated", "unchanged", "refused"];
    const select = h("select", { "aria-label": t("import.show_rows"), "data-focus": "outcome", on: { change: () => { this.#outcome = select.value; this.#load(null); } } },
      values.map((value) => h("option", { value, selected: value === this.#outcome }, t(`import.outcome.${value || "all"}`))));
    return select;
  }

  #table() {
    if (!this.#rows.length) return h("p", { class: "muted" }, t("import.no_rows"));
    const head = ["row", "case", "outcome", "found"].map((key) => h("th", { scope: "col" }, t(`import.head.${key}`)));
    return [
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("import.rows") },
        h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, this.#rows.map((row) => this.#row(row))))),
      this.#cursor && h("p", {}, h("button", { type: "button", class: "button", "data-focus": "more-rows", on: { click: () => this.#load(this.#cursor) } }, t("cases.more"))),
    ];
  }

  #row(row) {
    const tone = { bad: "bad", refused: "bad", created: "good", updated: "good" }[row.outcome] ?? "";
    return h("tr", { "data-row": row.row },
      h("td", { class: "number brief" }, String(row.row)), h("td", {}, data(row.case_id ?? "–")),
      h("td", {}, h("span", { class: "tag", "data-tone": tone }, t(`import.outcome.${row.outcome}`))),
      h("td", {}, h("ul", { class: "findings" }, row.problems.map(finding))));
  }
}

const told = (one) => (currentLanguage() === "zh" ? one.what_zh : one.what);
const mend = (one) => (currentLanguage() === "zh" ? one.fix_zh : one.fix);

function finding(one) {
  return h("li", { "data-code": one.code },
    h("span", { class: "tag", "data-tone": one.level === "error" ? "bad" : "warn" }, t(`import.level.${one.level}`)), " ",
    one.column && data(one.column, { class: "column" }), one.value !== null && data(one.value, { class: "value" }), " ",
    data(told(one)), h("div", { class: "muted small" }, data(mend(one))));
}

customElements.define("import-report", ImportReport);
