// The incident desk: what is in doubt about recordings, newest first, and closing it with what was found out.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { duration, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t } from "./i18n.js";
import { open } from "./oversight.js";
import { incidents } from "./oversight-api.js";

const SHOWN = ["trunk", "number", "dialled", "dialled_by", "started_at", "cause", "leg", "file", "duration", "answered_at", "ended_at", "problem", "reason", "error", "pbx", "bytes", "unreadable"];
const REFRESH = 30_000; // ms

class IncidentDesk extends HTMLElement {
  #state = "open";
  #items = null;
  #cursor = null;
  #error = null;
  #closing = null;

  async start() {
    onLanguage(() => this.#draw());
    await this.#load(null);
    setInterval(() => this.#closing === null && !this.#cursor && this.#load(null), REFRESH);
  }

  async #load(cursor) {
    try {
      const page = await incidents.list({ state: this.#state, cursor, limit: 50 });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const states = ["open", "closed"].map((state) =>
      h("button", { type: "button", "data-focus": state, "aria-pressed": String(state === this.#state), on: { click: () => this.#choose(state) } }, t(`incidents.${state}`)));
    fill(this,
      h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.incidents")), h("div", { class: "switch", role: "group", "aria-label": t("incidents.which") }, states)),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      h("section", { class: "card" },
        h("ul", { class: "rows" }, (this.#items ?? []).map((item) => this.#row(item))),
        this.#items?.length === 0 && h("p", { class: "muted", role: "status" }, t(`incidents.none.${this.#state}`))),
      this.#cursor && h("button", { type: "button", class: "button", on: { click: () => this.#load(this.#cursor) } }, t("cases.more")));
  }

  #choose(state) {
    this.#state = state;
    this.#closing = null;
    this.#load(null);
  }

  #row(item) {
    const name = knows(`doubt.${item.kind}`) ? t(`doubt.${item.kind}`) : t("doubt.other");
    const told = SHOWN.filter((key) => item.detail[key] !== undefined && item.detail[key] !== null && item.detail[key] !== "");
    return h("li", { "data-incident": item.id },
      h("div", { class: "line" }, h("span", { class: "tag", "data-tone": item.closed_at ? null : "bad" }, name),
        h("time", { class: "muted small", datetime: item.opened_at, title: exact(item.opened_at) }, moment(item.opened_at)),
        item.call_id && h("a", { href: `/qa/calls/${item.call_id}` }, t("incidents.listen")),
        !item.closed_at && item.kind !== "recorder-unhealthy" && h("button", { type: "button", class: "button button-small end", "data-focus": `close-${item.id}`, on: { click: () => this.#ask(item) } }, t("incidents.close"))),
      h("p", { class: "small muted" }, knows(`doubt.means.${item.kind}`) ? t(`doubt.means.${item.kind}`) : ""),
      h("p", { class: "small line" }, told.map((key) => h("span", {}, h("span", { class: "muted" }, t(`incidents.detail.${key}`), " "), detail(key, item.detail[key])))),
      item.closed_at && h("p", { class: "small" }, t("incidents.closed_at", { when: moment(item.closed_at) }), " ", data(item.closed_reason)),
      this.#closing === item.id && this.#form(item));
  }

  #form(item) {
    const reason = h("input", { id: "reason", name: "reason", maxlength: 255, autocomplete: "off", "data-focus": "reason", on: { keydown: (event) => event.key === "Escape" && this.#ask(null) } });
    return h("form", { class: "row", on: { submit: (event) => this.#close(event, item, reason) } },
      h("div", { class: "field" }, h("label", { for: "reason" }, t("incidents.found_out")), reason),
      h("button", { type: "submit", class: "button button-primary" }, t("incidents.close")),
      h("button", { type: "button", class: "button button-quiet", on: { click: () => this.#ask(null) } }, t("replay.cancel")));
  }

  #ask(item) {
    this.#closing = item?.id ?? null;
    this.#draw();
    this.querySelector("#reason")?.focus();
  }

  async #close(event, item, reason) {
    event.preventDefault();
    if (!reason.value.trim()) return reason.focus();
    try {
      await incidents.close(item.id, reason.value.trim());
      this.#closing = null;
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    await this.#load(null);
  }
}

function detail(key, value) {
  if (key.endsWith("_at")) return h("time", { datetime: value, title: exact(value) }, moment(value));
  if (key === "leg") return h("span", {}, t(`incidents.leg.${value}`));
  return data(key === "duration" ? duration(value) : value);
}

customElements.define("incident-desk", IncidentDesk);
if (await open()) await document.querySelector("incident-desk").start();
