// Missed calls to answer: whose they may be, whether one may call now, and calling back with one click. A conversation with the
// number ticks a task off by itself; by hand it takes a reason.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { exact, moment, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { inbound } from "./inbound-api.js";
import { onLanguage, t } from "./i18n.js";

const CHECK = 60_000; // ms: what may be called changes with the hour
const KINDS = ["call_back.due", "call_back.done", "call_back.dropped", "call.ended", "call.case"];

/** Set `reader` ({name, extension}) to begin. Fires `dial` and `case-chosen`. */
export class CallBacks extends HTMLElement {
  #reader = null;
  #items = [];
  #closing = null; // the task whose reason is being asked
  #error = null;

  connectedCallback() {
    this.hidden = true;
    onLanguage(() => this.#draw());
    document.addEventListener("stream-event", ({ detail: { kind } }) => KINDS.includes(kind) && this.refresh());
    document.addEventListener("stream-resync", () => this.refresh());
    setInterval(() => this.refresh(), CHECK);
  }

  set reader(reader) {
    this.#reader = reader;
    this.refresh();
  }

  async refresh() {
    if (!this.#reader) return;
    try {
      this.#items = (await inbound.callBacks()).items;
    } catch {
      return; // the stream's banner says that we are cut off
    }
    this.#draw();
  }

  #draw() {
    this.hidden = this.#items.length === 0;
    fill(this,
      h("h2", { class: "pane-title" }, t("call_back.title", { count: this.#items.length })),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      h("ul", { class: "call-backs" }, this.#items.map((task) => this.#row(task))));
  }

  #row(task) {
    const match = task.matches.find((one) => one.case_id === task.case_id) ?? (task.matches.length === 1 ? task.matches[0] : null);
    const often = task.missed > 1 ? t("call_back.times", { count: task.missed }) : t("call_back.once");
    return h("li", { "data-task": task.id },
      h("span", { class: "call-back-who" }, icon("incoming"), match?.name ? data(match.name) : data(phoneNumber(task.number)), match?.name && data(phoneNumber(task.number), { class: "number muted small" })),
      h("span", { class: "muted small" }, often, " ", h("time", { datetime: task.missed_at, title: exact(task.missed_at) }, moment(task.missed_at))),
      !task.allowed_now && h("span", { class: "small call-back-why" }, task.retry_at ? t("call_back.from", { when: moment(task.retry_at) }) : this.#why(task)),
      h("span", { class: "incoming-acts" },
        task.allowed_now && this.#reader.extension && h("button", { type: "button", class: "button button-small button-primary", "data-focus": `back-${task.id}`, on: { click: () => this.#dial(task, match) } }, icon("phone"), t("call_back.call")),
        task.matches.map((one, index) => h("button", { type: "button", class: "button button-small", "data-focus": `case-${task.id}-${index}`, on: { click: () => this.#tell("case-chosen", one.case_id) } }, t("call_back.case"), task.matches.length > 1 && [" ", data(one.case_id)])),
        h("button", { type: "button", class: "button button-small button-quiet", "aria-expanded": String(this.#closing === task.id), "data-focus": `drop-${task.id}`, on: { click: () => this.#ask(task.id) } }, t("call_back.drop"))),
      this.#closing === task.id && this.#reason(task));
  }

  #why(task) {
    return task.matches.length === 0 ? t("call_back.no_case") : task.matches.length > 1 && !task.rule ? t("call_back.several") : data(task.why_not ?? "");
  }

  #reason(task) {
    const input = h("input", { type: "text", required: true, maxlength: 255, "data-focus": `why-${task.id}`, "aria-label": t("call_back.reason"), placeholder: t("call_back.reason") });
    return h("form", { class: "row", on: { submit: (event) => { event.preventDefault(); this.#close(task, input.value.trim()); } } }, input, h("button", { class: "button button-small" }, t("call_back.drop_it")));
  }

  #ask(taskId) {
    this.#closing = this.#closing === taskId ? null : taskId;
    this.#draw();
    this.querySelector(`[data-focus="why-${CSS.escape(taskId)}"]`)?.focus();
  }

  async #close(task, reason) {
    if (!reason) return;
    this.#error = null;
    try {
      await inbound.close(task.id, reason);
      this.#closing = null;
      await this.refresh();
    } catch (error) {
      this.#error = error;
      this.#draw();
    }
  }

  #dial(task, match) {
    this.#tell("case-chosen", task.case_id);
    this.#tell("dial", { caseId: task.case_id, partyId: task.party_id, number: task.number, name: match?.name, relation: match?.relation });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
  }
}

customElements.define("call-backs", CallBacks);
