// The days of a year that are not what their weekday says: days off and make-up workdays, published or entered, and entering them.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { day } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, locale, onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { settings } from "./client-settings-api.js";

class CalendarDays extends HTMLElement {
  #country = "CN";
  #year = new Date().getFullYear();
  #found = null;
  #may = false;
  #error = null;
  #removing = null;
  #typed = { day: "", working: "true", name: "", reason: "" };

  connectedCallback() {
    onLanguage(() => this.#found && this.#load());
  }

  /** Show a country's days; `may` lets the reader enter and take out. */
  async show(country, may) {
    this.#country = country;
    this.#may = may;
    await this.#load();
  }

  async #load() {
    try {
      this.#found = await settings.year(this.#country, this.#year, currentLanguage());
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const year = h("input", { type: "number", min: 2000, max: 2199, value: this.#year, "data-focus": "year", on: { change: (event) => {
      this.#year = Number(event.target.value) || this.#year;
      this.#load();
    } } });
    fill(this, h("section", { class: "card" }, h("h2", {}, t("set.days.title")),
      h("div", { class: "form" }, h("p", { class: "muted small" }, t("set.days.hint")), h("div", { class: "grid" }, field("set.days.year", year, "days-year"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), " ", data(this.#error.members?.detail ?? ""))),
      this.#found && !this.#found.published && h("p", { class: "notice notice-warn" }, icon("warning"), t("set.days.unpublished", { year: this.#found.year })),
      this.#found && this.#table(), this.#may && this.#form()));
  }

  #table() {
    if (!this.#found.days.length) return h("p", { class: "muted" }, t("set.days.none"));
    const head = ["set.days.day", "set.days.what", "set.days.name", "set.days.source"].map((key) => h("th", { scope: "col" }, t(key)));
    return h("div", { class: "scroll set-days", tabindex: 0, role: "group", "aria-label": t("set.days.title") }, h("table", {}, h("thead", {}, h("tr", {}, head, this.#may && h("td"))),
      h("tbody", {}, this.#found.days.map((one) => this.#row(one)))));
  }

  #row(one) {
    const [year, month, date] = one.day.split("-").map(Number);
    const weekday = new Intl.DateTimeFormat(locale(), { weekday: "short" }).format(new Date(year, month - 1, date));
    const entered = one.source === "entered";
    return h("tr", { "data-day": one.day }, h("th", { scope: "row", class: "brief" }, day(one.day), " ", h("span", { class: "muted" }, weekday)),
      h("td", {}, h("span", { class: "tag", "data-tone": one.working ? "warn" : "good" }, t(one.working ? "set.days.working" : "set.days.off"))), h("td", {}, data(one.name)),
      h("td", {}, t(entered ? "set.days.entered" : "set.days.published")), this.#may && h("td", {}, entered && this.#out(one)));
  }

  #out(one) {
    if (this.#removing !== one.day) return h("button", { type: "button", class: "button button-small", "data-focus": `out-${one.day}`, "aria-label": `${t("set.days.out")}: ${one.day}`, on: { click: () => { this.#removing = one.day; this.#draw(); this.querySelector("#days-out").focus(); } } }, t("set.days.out"));
    const reason = h("input", { type: "text", required: true, maxlength: 2000 });
    return h("form", { class: "row", on: { submit: (event) => { event.preventDefault(); this.#act(() => settings.dropDay(this.#country, one.day, reason.value.trim())); } } },
      field("set.reason", reason, "days-out"), h("button", { class: "button button-small" }, t("set.days.out")));
  }

  #form() {
    const typed = (key, attributes) => h("input", { value: this.#typed[key], "data-focus": `day-${key}`, ...attributes, on: { input: (event) => { this.#typed[key] = event.target.value; } } });
    const working = h("select", { "data-focus": "day-working", on: { change: (event) => { this.#typed.working = event.target.value; } } },
      ["true", "false"].map((value) => h("option", { value, selected: value === this.#typed.working }, t(value === "true" ? "set.days.working" : "set.days.off"))));
    return h("form", { class: "form", "data-form": "day", on: { submit: (event) => { event.preventDefault(); this.#enter(); } } }, h("h2", {}, t("set.days.enter")),
      h("div", { class: "grid" }, field("set.days.day", typed("day", { type: "date", required: true }), "day-day"), field("set.days.what", working, "day-working"),
        field("set.days.name", typed("name", { type: "text", maxlength: 255 }), "day-name"), field("set.reason", typed("reason", { type: "text", required: true, maxlength: 2000 }), "day-reason")),
      h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "day-enter" }, t("set.days.save"))));
  }

  #enter() {
    const { day: which, working, name, reason } = this.#typed;
    return this.#act(async () => {
      await settings.saveDay(this.#country, which, { working: working === "true", name, reason: reason.trim() });
      this.#typed = { day: "", working, name: "", reason: "" };
      this.#year = Number(which.slice(0, 4));
    });
  }

  async #act(act) {
    try {
      await act();
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    this.#removing = null;
    await this.#load();
    this.dispatchEvent(new Event("saved"));
  }
}

customElements.define("calendar-days", CalendarDays);
