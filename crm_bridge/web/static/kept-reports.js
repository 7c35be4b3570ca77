// Reports that were made on their date: a list, each to read here and to take away as it was then.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, knows, locale, onLanguage, t } from "./i18n.js";
import { keptReports } from "./supervisor-api.js";

const LISTED = 60;

class KeptReports extends HTMLElement {
  #items = null;
  #open = null;
  #error = null;

  /** List them, and show the one that the address names. */
  async start() {
    onLanguage(() => this.#draw());
    try {
      this.#items = (await keptReports.list(LISTED)).items.sort(newestFirst);
    } catch (error) {
      this.#error = error;
    }
    const asked = new URLSearchParams(location.search).get("kept");
    if (asked) await this.#show(asked);
    this.#draw();
    if (asked) this.querySelector("#kept-open")?.scrollIntoView();
  }

  async #show(reportId) {
    this.#error = null;
    try {
      this.#open = this.#open?.id === reportId ? null : await keptReports.get(reportId);
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    fill(this, h("section", { class: "card kept" }, h("h2", {}, t("report.kept.title")), h("p", { class: "muted small" }, t("report.kept.hint")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error))),
      this.#items && (this.#items.length ? this.#table() : h("p", { class: "muted" }, t("report.kept.none"))),
      this.#open && this.#whole(this.#open)));
  }

  #table() {
    const head = ["report.kept.report", "report.kept.period", "report.client", "report.kept.made", "report.kept.take"].map((key) => h("th", { scope: "col" }, t(key)));
    return h("div", { class: "scroll kept-list", tabindex: 0, role: "group", "aria-label": t("report.kept.title") },
      h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, this.#items.map((item) => this.#row(item)))));
  }

  #row(item) {
    const of = t("report.kept.of", { report: t(`period.name.${item.report}`), period: item.period, client: item.client ?? t("report.any_client") });
    const at = item.made_at ?? item.due_at;
    const when = h("time", { datetime: at, title: exact(at) }, item.state === "made" ? moment(at) : t("report.kept.due", { when: moment(at) }));
    const open = this.#open?.id === item.id;
    const take = item.state === "made" && [
      h("button", { type: "button", class: "button button-small", "aria-expanded": String(open), "aria-label": `${t(open ? "report.kept.close" : "report.kept.open")}: ${of}`, "data-focus": `show-${item.id}`, on: { click: () => this.#show(item.id) } }, t(open ? "report.kept.close" : "report.kept.open")),
      ...["csv", "xlsx"].map((format) => h("a", { class: "button button-small", download: "", "aria-label": `${t(`report.${format}`)}: ${of}`, href: keptReports.file(item.id, { format, language: currentLanguage() }) }, t(`report.${format}`)))];
    return h("tr", { "data-kept": item.id, class: item.state === "due" ? "muted" : null }, h("th", { scope: "row" }, t(`period.name.${item.report}`)), h("td", { class: "brief" }, data(item.period)),
      h("td", {}, item.client === null ? t("report.any_client") : data(item.client)), h("td", { class: "brief" }, when), h("td", {}, h("span", { class: "row" }, take || "–")));
  }

  #whole(report) {
    const figures = Object.entries(report.figures).map(([name, value]) => h("div", { class: "figure" }, h("span", { class: "muted small" }, columnText(name)), h("strong", {}, figure(value, name.endsWith("_rate") ? "rate" : "count"))));
    return h("div", { id: "kept-open", class: "kept-open", role: "region", "aria-label": t("report.kept.of", { report: t(`period.name.${report.report}`), period: report.period, client: report.client ?? t("report.any_client") }) },
      h("div", { class: "figures" }, figures), report.sections.filter((one) => one.rows.length).map((one) => section(one)));
  }
}

// What was made, the newest first; then what comes, the next one first.
function newestFirst(one, other) {
  if (one.state !== other.state) return one.state === "made" ? -1 : 1;
  if (one.state === "due") return one.due_at.localeCompare(other.due_at);
  return other.until.localeCompare(one.until) || one.report.localeCompare(other.report) || (one.client ?? "").localeCompare(other.client ?? "");
}

function section(one) {
  const head = one.columns.map(({ name, kind }) => h("th", { scope: "col", class: kind === "text" ? null : "number" }, columnText(name)));
  const cell = (row, { name, kind }, index) => {
    const shown = kind === "text" ? data(text(name, row[name])) : figure(row[name], kind);
    return index ? h("td", { class: kind === "text" ? null : "number" }, shown) : h("th", { scope: "row" }, shown);
  };
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t(`period.section.${one.name}`) }, h("table", { class: "report-table" }, h("caption", {}, t(`period.section.${one.name}`)),
    h("thead", {}, h("tr", {}, head)), h("tbody", {}, one.rows.map((row) => h("tr", {}, one.columns.map((column, index) => cell(row, column, index)))))));
}

const columnText = (name) => [`report.column.${name}`, `complaint.report.${name}`].filter(knows).map((key) => t(key))[0] ?? name;

function text(name, value) {
  if (value === null || value === undefined) return name === "comment" ? "" : t("report.nobody");
  if (typeof value === "boolean") return t(value ? "set.yes" : "set.no");
  if (name.endsWith("_at")) return moment(value);
  const word = [`complaint.${name}.${value}`, `reviews.finding.${value}`, `report.reported.${value}`].filter(knows)[0];
  return word ? t(word) : String(value);
}

function figure(value, kind) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(locale(), kind === "rate" ? { style: "percent", maximumFractionDigits: 1 } : { maximumFractionDigits: 1 }).format(value);
}

customElements.define("kept-reports", KeptReports);
