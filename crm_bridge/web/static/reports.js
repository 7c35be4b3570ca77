// Reports: a period and a client, figures as plots with their table, and the same as files.

import "./kept-reports.js";

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { day, moment } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, knows, locale, onLanguage, ruleText, loadRules, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { plot } from "./plot.js";
import { reports } from "./supervisor-api.js";

const PLOTTED = {
  "connect-rate": ["connect_rate", "attempts"],
  attempts: ["attempts", "conversation"],
  denials: ["denials"],
  notes: ["on_time_rate", "due"],
  complaints: ["opened", "mean_minutes"],
  "first-round": ["connect_rate", "promises"],
};
const UPRIGHT = ["hour", "day"];
const CODES = { severity: "complaint.severity", category: "complaint.category" };

class ReportDesk extends HTMLElement {
  #kinds = [];
  #clients = [];
  #chosen = Object.fromEntries(new URLSearchParams(location.search));
  #report = null;
  #error = null;
  #asked = 0;

  async start() {
    onLanguage(() => this.#draw());
    try {
      const [offered] = await Promise.all([reports.offered(), loadRules()]);
      [this.#kinds, this.#clients] = [offered.items, offered.clients];
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    window.addEventListener("popstate", () => {
      this.#chosen = Object.fromEntries(new URLSearchParams(location.search));
      this.#load();
    });
    await this.#load();
  }

  get #kind() {
    return this.#kinds.find((kind) => kind.name === this.#chosen.report) ?? this.#kinds[0];
  }

  get #values() {
    const { from, to, client, by } = this.#chosen;
    return { from, to, client, by: this.#kind.by.includes(by) ? by : this.#kind.by[0] };
  }

  async #load() {
    const asked = ++this.#asked;
    this.setAttribute("aria-busy", "true");
    try {
      const report = await reports.get(this.#kind.name, this.#values);
      if (asked !== this.#asked) return;
      [this.#report, this.#error] = [report, null];
    } catch (error) {
      if (asked !== this.#asked) return;
      [this.#report, this.#error] = [null, error];
    }
    this.removeAttribute("aria-busy");
    this.#draw();
  }

  #choose(values) {
    this.#chosen = { ...this.#chosen, ...values };
    const kept = Object.entries(this.#chosen).filter(([, value]) => value);
    history.pushState(null, "", `?${new URLSearchParams(kept)}`);
    this.#load();
  }

  #draw() {
    fill(this,
      h("header", { class: "sheet-head" }, h("h1", {}, t("report.title")),
        h("a", { class: "button button-small", href: "/v1/complaint-reports/weekly?format=html", target: "_blank", rel: "noopener" }, t("report.weekly"))),
      this.#kinds.length > 0 && this.#form(),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), " ", data(this.#error.members?.detail ?? ""))),
      this.#report && this.#shown());
  }

  #form() {
    const select = (name, values, words, chosen) => {
      const control = h("select", { "data-focus": name, on: { change: (event) => this.#choose({ [name]: event.target.value }) } },
        values.map((value) => h("option", { value, selected: value === chosen, translate: name === "client" && value ? "no" : null }, words(value))));
      return control;
    };
    const date = (name) => h("input", { type: "date", "data-focus": name, value: this.#chosen[name] ?? this.#told(name), on: { change: (event) => this.#choose({ [name]: event.target.value }) } });
    const kind = this.#kind;
    return h("form", { class: "report-form", on: { submit: (event) => event.preventDefault() } },
      field("report.choose", select("report", this.#kinds.map((one) => one.name), (name) => t(`report.name.${name}`), kind.name), "report-name"),
      field("report.by", select("by", kind.by, (by) => t(`report.column.${by}`), this.#values.by), "report-by"),
      field("report.from", date("from"), "report-from"), field("report.to", date("to"), "report-to"),
      field("report.client", select("client", ["", ...this.#clients], (client) => client || t("report.any_client"), this.#chosen.client ?? ""), "report-client"),
      ["csv", "xlsx"].map((format) => h("a", { class: "button", download: "", "data-focus": format, href: reports.file(kind.name, { ...this.#values, format, language: currentLanguage() }) }, t(`report.${format}`))));
  }

  // The days that were asked for, as the service understood them: the last one is the day before `until` begins.
  #told(name) {
    if (!this.#report) return "";
    const at = name === "from" ? Date.parse(this.#report.from) : Date.parse(this.#report.until) - 1;
    return new Intl.DateTimeFormat("sv-SE", { timeZone: this.#report.zone, dateStyle: "short" }).format(at);
  }

  #shown() {
    const report = this.#report;
    const filled = report.rows.some((row) => report.columns.some((column) => column.kind === "count" && row[column.name] > 0));
    return h("section", { "aria-label": t(`report.name.${report.name}`) },
      h("p", { class: "muted small" }, t("report.made", { when: moment(report.made_at) })),
      filled ? h("div", { class: "plots" }, PLOTTED[report.name].map((name) => this.#plot(name))) : h("p", { class: "notice", role: "status" }, t("report.none")),
      report.rows.length > 0 && this.#table());
  }

  #plot(name) {
    const { by, columns, rows } = this.#report;
    const { kind } = columns.find((column) => column.name === name);
    const points = rows.map((row) => ({ name: keyText(by, row[by], true), value: row[name], shown: figure(row[name], kind) }));
    const label = t("report.plot", { figure: t(`report.column.${name}`), key: t(`report.column.${by}`).toLowerCase() });
    return plot(label, points, { upright: UPRIGHT.includes(by), top: kind === "rate" ? 1 : null, scale: (value) => figure(value, kind) });
  }

  #table() {
    const { by, columns, rows, total } = this.#report;
    const [, ...figures] = columns;
    const cells = (row) => figures.map(({ name, kind }) => h("td", { class: "number" }, figure(row[name], kind)));
    const heads = figures.map(({ name }) => h("th", { scope: "col", class: "number" }, t(`report.column.${name}`)));
    return h("div", { class: "card scroll", tabindex: "0", role: "group", "aria-label": t("report.scroll") },
      h("table", { class: "report-table" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t(`report.column.${by}`)), heads)),
        h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, data(keyText(by, row[by]))), cells(row)))),
        h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, t("report.total")), cells(total)))));
  }
}

/** What a row is about, in the reader's words where there are some. */
function keyText(by, key, short = false) {
  if (key === null) return t("report.nobody");
  if (by === "hour") return short ? key : `${key}:00`;
  if (by === "day") return short ? key.slice(5) : day(key);
  if (by === "rule") return short ? key : ruleText(key) ? `${key}: ${ruleText(key)}` : key;
  const code = `${CODES[by]}.${key}`;
  return by in CODES && knows(code) ? t(code) : key;
}

/** A figure as people read it. */
function figure(value, kind) {
  if (value === null || value === undefined) return "–";
  const options = kind === "rate" ? { style: "percent", maximumFractionDigits: 1 } : { maximumFractionDigits: 1 };
  return new Intl.NumberFormat(locale(), options).format(value);
}

customElements.define("report-desk", ReportDesk);
if (await open()) await Promise.all([document.querySelector("report-desk").start(), document.querySelector("kept-reports").start()]);
