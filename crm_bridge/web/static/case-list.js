// My cases: search, the next page of them, up and down by the arrow keys. Following one fires `case-chosen`.

import { cases, explain } from "./api.js";
import { daysLeft, returnText } from "./case-follow.js";
import { debtorOf } from "./case-summary.js";
import { data, fill, h, reconcile } from "./dom.js";
import { age, daysSince, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";

const PAUSE = 250; // ms of silence before a search goes out
const PAGE = 50;

export class CaseList extends HTMLElement {
  mine = true;
  #items = null;
  #cursor = null;
  #query = "";
  #chosen = null;
  #error = null;
  #due = new Map();
  #onlyDue = false;
  #asked = 0;
  #parts = {};

  connectedCallback() {
    const search = h("input", {
      type: "search", autocomplete: "off", spellcheck: "false", "aria-keyshortcuts": "Alt+S", maxlength: 200,
      on: { input: () => this.#searched(), keydown: (event) => event.key === "ArrowDown" && this.#move(event, 0) },
    });
    this.#parts = {
      title: h("h2", { class: "pane-title" }),
      search,
      due: h("button", { type: "button", class: "button button-small", hidden: true, "data-focus": "only-due", on: { click: () => this.#toggleDue() } }),
      status: h("p", { class: "list-status muted", role: "status" }),
      list: h("ul", { class: "cases", on: { keydown: (event) => this.#keyed(event) } }),
      more: h("button", { type: "button", class: "button list-more", hidden: true, on: { click: () => this.#load(this.#cursor) } }),
    };
    const { title, due, status, list, more } = this.#parts;
    this.append(h("div", { class: "list-head" }, title, h("div", { class: "search" }, icon("search"), search), due), status, list, more);
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** Fetch the first page; `mine` says whether only the reader's own cases are wanted. */
  async start(mine) {
    this.mine = mine;
    await Promise.all([this.#load(null), this.#loadDue()]);
  }

  /** Who is due a call today; without an answer the list simply does not say so. */
  async #loadDue() {
    const { items } = await cases.due(this.mine).catch(() => ({ items: [] }));
    this.#due = new Map(items.map((item) => [item.case_id, item]));
    this.#onlyDue &&= items.length > 0;
    this.#draw();
  }

  #toggleDue() {
    this.#onlyDue = !this.#onlyDue;
    this.#draw();
  }

  /** Mark the case that is shown. */
  choose(caseId) {
    this.#chosen = caseId;
    this.#draw();
  }

  /** Fetch again what is shown, after something changed. */
  async refresh() {
    await Promise.all([this.#items && this.#items.length <= PAGE && this.#load(null), this.#loadDue()]);
  }

  focusSearch() {
    this.#parts.search.focus();
    this.#parts.search.select();
  }

  #searched() {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      this.#query = this.#parts.search.value.trim();
      this.#load(null);
    }, PAUSE);
  }

  async #load(cursor) {
    const asked = ++this.#asked;
    try {
      const page = await cases.list({ mine: this.mine ? "true" : null, q: this.#query, cursor, limit: PAGE });
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
    const { title, search, status, list, more } = this.#parts;
    title.textContent = t(this.mine ? "cases.title" : "cases.title_all");
    search.placeholder = t("cases.search");
    search.setAttribute("aria-label", t("cases.search"));
    status.textContent = this.#statusText();
    status.classList.toggle("is-error", Boolean(this.#error));
    more.textContent = t("cases.more");
    more.hidden = !this.#cursor;
    this.#drawDue();
    const shown = this.#onlyDue ? this.#dueItems() : (this.#items ?? []);
    const rows = shown.map((item) => ({ ...item, chosen: item.id === this.#chosen, age: age(item.last_follow_up_at), due: this.#due.get(item.id) }));
    reconcile(list, rows, (item) => item.id, (item) => this.#row(item), currentLanguage());
    list.hidden = rows.length === 0;
  }

  #drawDue() {
    const { due, more } = this.#parts;
    due.hidden = this.#due.size === 0;
    due.textContent = t("cases.due_today", { count: this.#due.size });
    due.setAttribute("aria-pressed", String(this.#onlyDue));
    more.hidden ||= this.#onlyDue;
  }

  /** The due list in its own order: the most urgent first. */
  #dueItems() {
    const listed = new Map((this.#items ?? []).map((item) => [item.id, item]));
    return [...this.#due.values()].map((one) => listed.get(one.case_id) ?? { id: one.case_id, client: one.client, state: "open", debtor_name: one.name, parties: [] });
  }

  #statusText() {
    if (this.#error) return explain(this.#error);
    if (this.#items === null) return t("cases.loading");
    if (this.#items.length === 0) return t(this.#query ? "cases.none_found" : "cases.none");
    return "";
  }

  #row(item) {
    const follow = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("case-chosen", { bubbles: true, detail: item.id }));
    };
    return h("li", {}, h(
      "a",
      {
        class: "case-row", href: `/cases/${encodeURIComponent(item.id)}`, "data-focus": `case-${item.id}`,
        "aria-current": item.chosen ? "page" : null, on: { click: follow },
      },
      h("span", { class: "case-name" }, data(item.debtor_name || debtorOf(item)?.name || item.id)),
      item.complaint_open && h("span", { class: "tag", "data-tone": "bad" }, t("cases.complaint")),
      !item.complaint_open && item.state !== "open" && h("span", { class: "tag", "data-state": item.state }, t(`state.${item.state}`)),
      h("span", { class: "case-sub muted" }, data(item.client), h("span", { class: "number" }, data(item.id))),
      item.due && dueMark(item.due),
      item.last_follow_up_at !== undefined && followUp(item),
      returnMark(item),
    ));
  }

  #keyed(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = this.#links();
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowUp" && at <= 0) {
      event.preventDefault();
      this.#parts.search.focus();
    } else this.#move(event, at + (event.key === "ArrowDown" ? 1 : -1));
  }

  #move(event, to) {
    event.preventDefault();
    this.#links()[to]?.focus();
  }

  #links() {
    return [...this.#parts.list.querySelectorAll("a")];
  }
}

function dueMark({ due_at: at, overdue, allowed_now: now, retry_at: later }) {
  const text = overdue ? t("cases.overdue") : t("cases.due", { when: moment(at) });
  return h("span", { class: "case-sub small" }, h("span", { class: "tag", "data-tone": overdue ? "warn" : "busy" }, text), !now && h("span", { class: "muted" }, t("cases.due_from", { when: moment(later) })));
}

function followUp({ last_follow_up_at: at, age: when }) {
  return h("span", { class: "case-age small", "data-age": ageBand(at), title: at && exact(at) }, h("span", { class: "dot" }), t("cases.followed_up", { when }));
}

/** That the case goes back to its client soon. */
function returnMark({ mandate_until: until, state }) {
  const left = ["settled", "closed", "returned"].includes(state) ? null : daysLeft(until);
  return left !== null && h("span", { class: "case-sub small" }, h("span", { class: "tag", "data-tone": left < 2 ? "bad" : "warn", "data-return": String(left) }, returnText(left)));
}

/** The longer a case lies, the warmer its colour (the words say how long). */
function ageBand(lastFollowUp) {
  if (!lastFollowUp) return "never";
  const days = daysSince(lastFollowUp);
  if (days <= 2) return "fresh";
  return days <= 6 ? "waiting" : "old";
}

customElements.define("case-list", CaseList);
