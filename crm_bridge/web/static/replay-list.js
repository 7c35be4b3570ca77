// Finding recorded calls: one search field for names, numbers, cases and agents, filters beside it. Fires `call-chosen`.

import { explain } from "./api.js";
import { data, fill, h, reconcile } from "./dom.js";
import { duration, exact, moment, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, knows, onLanguage, t } from "./i18n.js";
import { replay } from "./oversight-api.js";
import { field } from "./oversight.js";

const PAUSE = 250; // ms of silence before a search goes out
const PAGE = 50;
const OUTCOMES = ["conversation", "voicemail", "no_answer", "busy", "rejected", "dropped", "failed"];
const FLAGS = ["any", "silent", "one-sided", "legs-identical", "clipped", "dead-air", "truncated", "wrong-length", "tiny", "missing", "unanswered"];

export class ReplayList extends HTMLElement {
  #items = null;
  #cursor = null;
  #chosen = null;
  #error = null;
  #asked = 0;
  #parts = {};

  connectedCallback() {
    const search = h("input", {
      type: "search", autocomplete: "off", spellcheck: "false", maxlength: 100, name: "q", "aria-keyshortcuts": "/",
      on: { keydown: (event) => event.key === "ArrowDown" && this.#focus(event, 0) },
    });
    this.#parts = {
      search, filters: h("details", { class: "filters" }), status: h("p", { class: "list-status muted", role: "status" }),
      list: h("ul", { class: "found", on: { keydown: (event) => this.#keyed(event) } }),
      more: h("button", { type: "button", class: "button list-more", hidden: true, on: { click: () => this.#load(this.#cursor) } }),
    };
    const { filters, status, list, more } = this.#parts;
    this.form = h("form", { class: "list-head", on: { submit: (event) => event.preventDefault(), input: () => this.#searched() } },
      h("div", { class: "search" }, icon("search"), search), filters);
    this.append(this.form, status, list, more);
    onLanguage(() => this.#build());
    this.#build();
  }

  /** Fetch the first page. */
  start() {
    return this.#load(null);
  }

  /** The call's entry in the list, if it is in it. */
  entry(callId) {
    return this.#items?.find((item) => item.id === callId) ?? null;
  }

  /** Mark the call that is shown. */
  choose(callId) {
    this.#chosen = callId;
    this.#draw();
  }

  /** Go to the next (1) or previous (-1) call of the list. */
  step(by) {
    const at = this.#items?.findIndex((item) => item.id === this.#chosen) ?? -1;
    const next = this.#items?.[at < 0 ? 0 : at + by];
    if (next) this.#fire(next.id);
  }

  focusSearch() {
    this.#parts.search.focus();
    this.#parts.search.select();
  }

  #build() {
    const kept = new FormData(this.form);
    const options = (name, values) => [h("option", { value: "" }, t("replay.all")), ...values.map((value) => h("option", { value }, t(`${name}.${value}`)))];
    const { search, filters } = this.#parts;
    search.placeholder = t("replay.search");
    search.setAttribute("aria-label", t("replay.search"));
    fill(filters, h("summary", {}, t("replay.filters")), h("div", { class: "grid" },
      field("replay.since", h("input", { type: "date", name: "since" }), "f-since"),
      field("replay.until", h("input", { type: "date", name: "until" }), "f-until"),
      field("replay.agent", h("input", { name: "agent", autocomplete: "off" }), "f-agent"),
      field("replay.client", h("input", { name: "client", autocomplete: "off" }), "f-client"),
      field("replay.longer", h("input", { type: "number", name: "min_seconds", min: 0, step: 1 }), "f-min"),
      field("replay.shorter", h("input", { type: "number", name: "max_seconds", min: 0, step: 1 }), "f-max"),
      field("replay.outcome", h("select", { name: "outcome" }, options("outcome", OUTCOMES)), "f-outcome"),
      field("replay.flag", h("select", { name: "flag" }, options("doubt", FLAGS)), "f-flag"),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "held", value: "true" }), t("replay.only_held"))));
    for (const [name, value] of kept) {
      const control = this.form.elements[name];
      if (control?.type === "checkbox") control.checked = true;
      else if (control) control.value = value;
    }
    this.#draw();
  }

  #searched() {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.#load(null), PAUSE);
  }

  async #load(cursor) {
    const asked = ++this.#asked;
    try {
      const page = await replay.find({ ...Object.fromEntries(new FormData(this.form)), cursor, limit: PAGE });
      if (asked !== this.#asked) return; // a later search has gone out meanwhile
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
      this.#error = null;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const { status, list, more } = this.#parts;
    status.classList.toggle("is-error", Boolean(this.#error));
    status.textContent = this.#statusText();
    more.textContent = t("cases.more");
    more.hidden = !this.#cursor;
    const rows = (this.#items ?? []).map((item) => ({ ...item, chosen: item.id === this.#chosen }));
    reconcile(list, rows, (item) => item.id, (item) => this.#row(item), currentLanguage());
    list.hidden = rows.length === 0;
  }

  #statusText() {
    if (this.#error) return explain(this.#error);
    if (this.#items === null) return t("replay.loading");
    return this.#items.length ? "" : t("replay.none_found");
  }

  #row(item) {
    const follow = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
      event.preventDefault();
      this.#fire(item.id);
    };
    return h("li", {}, h("a",
      { class: "found-row", href: `/qa/calls/${item.id}`, "data-focus": `call-${item.id}`, "aria-current": item.chosen ? "page" : null, on: { click: follow } },
      h("span", { class: "found-name" }, data(item.party_name ?? phoneNumber(item.number))),
      h("span", { class: "number" }, item.playable ? duration(item.duration) : t("replay.no_sound")),
      h("span", { class: "found-sub muted small" }, h("time", { datetime: item.created_at, title: exact(item.created_at) }, moment(item.created_at)),
        data(item.agent), data(item.client ?? "")),
      h("span", { class: "found-tags" }, tags(item))));
  }

  #keyed(event) {
    const links = [...this.#parts.list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown") this.#focus(event, at + 1);
    else if (event.key === "ArrowUp" && at > 0) this.#focus(event, at - 1);
    else if (event.key === "ArrowUp") this.focusSearch();
  }

  #focus(event, to) {
    event.preventDefault();
    this.#parts.list.querySelectorAll("a")[to]?.focus();
  }

  #fire(callId) {
    this.dispatchEvent(new CustomEvent("call-chosen", { bubbles: true, detail: callId }));
  }
}

/** What there is to know before anybody listens: doubts, holds, comments. */
export function tags(item) {
  const doubt = (kind) => (knows(`doubt.${kind}`) ? t(`doubt.${kind}`) : t("doubt.other"));
  return [
    ...item.doubts.map((kind) => h("span", { class: "tag", "data-tone": "bad" }, doubt(kind))),
    item.holds.length > 0 && h("span", { class: "tag", "data-tone": "warn" }, t("replay.held")),
    item.outcome && knows(`outcome.${item.outcome}`) && h("span", { class: "tag" }, t(`outcome.${item.outcome}`)),
    item.comments > 0 && h("span", { class: "tag", "data-tone": "busy" }, t("replay.comment_count", { count: item.comments })),
  ];
}

customElements.define("replay-list", ReplayList);
