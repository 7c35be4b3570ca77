// What a case is waiting for: its return to the client, promises and call-backs, the person's other debts; and its state.

import { explain } from "./api.js";
import { changeState, commitments, relatedCases } from "./desk-api.js";
import { data, fill, h } from "./dom.js";
import { amount, day, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t, tNodes } from "./i18n.js";

const DAY = 86_400_000;
const SOON = 7; // days before the mandate ends
const ENDINGS = { promise: ["kept", "broken", "withdrawn"], call_back: ["done", "withdrawn"] };
const ACTIONS = { open: ["suspend", "settle", "close", "return"], suspended: ["resume", "settle", "close", "return"], payment_pending: ["resume", "settle", "close", "return"], settled: ["resume"], closed: ["resume"], returned: ["resume"] };
const MAY_CHANGE = ["supervisor", "admin"];

/** Days until the mandate ends, or null when that is far away or nobody knows. */
export function daysLeft(until, now = Date.now()) {
  if (!until) return null;
  const [year, month, date] = until.split("-").map(Number);
  const today = new Date(now);
  const left = Math.round((new Date(year, month - 1, date) - new Date(today.getFullYear(), today.getMonth(), today.getDate())) / DAY);
  return left <= SOON ? left : null;
}

/** How near the end of a mandate is, in words. */
export function returnText(left) {
  if (left < 0) return t("mandate.over");
  return left === 0 ? t("mandate.today") : t("mandate.in_days", { days: left });
}

/** `show(case, role, notes)`: `notes` changes when a note does. Fires `case-changed` after it changed something. */
class CaseFollow extends HTMLElement {
  #case = null;
  #role = null;
  #stamp = "";
  #open = [];
  #related = [];
  #unfolded = false;
  #error = null;
  #changing = null; // {action, reason} while a change of state is written

  constructor() {
    super();
    onLanguage(() => this.isConnected && this.#draw());
  }

  show(kase, role, notes = "") {
    const stamp = [kase.id, kase.state, kase.updated_at, notes].join();
    if (kase.id !== this.#case?.id) {
      this.#open = this.#related = [];
      this.#unfolded = false;
      this.#changing = this.#error = null;
    }
    this.#case = kase;
    this.#role = role;
    if (stamp !== this.#stamp) this.#load(stamp);
    this.#draw();
  }

  async #load(stamp) {
    this.#stamp = stamp;
    const wanted = this.#case.id;
    const [open, related] = await Promise.all([commitments.ofCase(wanted), relatedCases(wanted)].map((asked) => asked.catch(() => ({ items: [] }))));
    if (wanted !== this.#case?.id) return;
    this.#open = open.items;
    this.#related = related.items;
    this.#draw();
  }

  #draw() {
    if (!this.#case) return fill(this);
    const left = ["settled", "closed", "returned"].includes(this.#case.state) ? null : daysLeft(this.#case.mandate_until);
    fill(this,
      left !== null && h("p", { class: `notice ${left < 2 ? "notice-bad" : "notice-warn"}`, "data-return": String(left) }, icon("clock"), h("span", {}, returnText(left))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#open.length > 0 && h("ul", { class: "commitments", "aria-label": t("commitment.title") }, this.#open.map((one) => this.#commitment(one))),
      this.#related.length > 0 && this.#others(),
      MAY_CHANGE.includes(this.#role) && this.#state());
  }

  // ---- promises and call-backs

  #commitment(one) {
    const when = one.at ? h("time", { datetime: one.at, title: exact(one.at) }, moment(one.at)) : h("time", { datetime: one.day }, day(one.day));
    const money = one.promise?.amount ? data(Number.isNaN(Number(one.promise.amount)) ? one.promise.amount : amount(one.promise.amount, one.promise.currency), { class: "number" }) : "";
    const text = one.kind === "promise" ? tNodes("commitment.promise", { day: when, amount: money }) : tNodes("commitment.call_back", { when });
    return h("li", { class: "commitment", "data-commitment": one.kind },
      h("span", { class: "tag", "data-tone": one.overdue ? "bad" : "busy" }, t(one.overdue ? "commitment.overdue" : "commitment.open")),
      h("span", {}, text),
      h("span", { class: "row" }, ENDINGS[one.kind].map((state) =>
        h("button", { type: "button", class: "button button-small", "data-focus": `${state}-${one.id}`, on: { click: () => this.#act(() => commitments.close(one.id, { state })) } }, t(`commitment.${state}`)))));
  }

  // ---- other cases of the same people

  #others() {
    const follow = (event, caseId) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("case-chosen", { bubbles: true, detail: caseId }));
    };
    const toggled = (event) => (this.#unfolded = event.target.open); // it stays as it is when it is drawn again
    return h("details", { class: "related", open: this.#unfolded, on: { toggle: toggled } }, h("summary", {}, t("related.title", { count: this.#related.length })),
      h("ul", {}, this.#related.map((one) => h("li", {},
        h("a", { href: `/cases/${encodeURIComponent(one.case_id)}`, "data-focus": `related-${one.case_id}`, on: { click: (event) => follow(event, one.case_id) } }, data(one.case_id, { class: "number" })), " ",
        data(one.client, { class: "muted" }), " ", h("span", { class: "tag", "data-state": one.state }, t(`state.${one.state}`)), " ",
        h("span", { class: "small muted" }, data(one.name), " · ", t(`relation.${one.relation}`), one.collector && [" · ", data(one.collector)])))));
  }

  // ---- the state of the case

  #state() {
    const draft = this.#changing;
    const buttons = ACTIONS[this.#case.state].map((action) =>
      h("button", { type: "button", class: "button button-small", "aria-expanded": String(draft?.action === action), "data-focus": `state-${action}`, on: { click: () => this.#choose(action) } }, t(`change.${action}`)));
    return h("div", { class: "case-state" }, h("div", { class: "row" }, buttons), draft && this.#reason(draft));
  }

  #choose(action) {
    this.#changing = this.#changing?.action === action ? null : { action, reason: "" };
    this.#draw();
    this.querySelector("[name=state-reason]")?.focus();
  }

  #reason(draft) {
    const input = h("input", { name: "state-reason", type: "text", required: true, maxlength: 2000, value: draft.reason, dir: "auto", "aria-label": t("change.reason"), placeholder: t("change.reason"), "data-focus": "state-reason", on: { input: () => (draft.reason = input.value) } });
    const save = (event) => {
      event.preventDefault();
      if (draft.reason.trim()) this.#act(() => changeState(this.#case.id, draft.action, draft.reason.trim()));
    };
    return h("form", { class: "row", on: { submit: save } }, input, h("button", { type: "submit", class: "button button-small button-primary" }, t(`change.${draft.action}`)));
  }

  async #act(act) {
    try {
      await act();
      this.#error = this.#changing = null;
      this.#stamp = "";
      this.dispatchEvent(new CustomEvent("case-changed", { bubbles: true }));
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }
}

customElements.define("case-follow", CaseFollow);
