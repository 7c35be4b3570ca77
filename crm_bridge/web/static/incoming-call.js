// A call that rings my phone: from which number, to which of ours, and whose case it may be. It is answered on the phone; the
// page asks whose call it is where several cases hold the number. It never takes the focus away from what is being typed.

import { calls, explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { inbound } from "./inbound-api.js";
import { onLanguage, t } from "./i18n.js";

const LINGER = 8_000; // ms that the word about a call that others answered stays

/**
 * Set `reader` ({name}) to begin. Fires `case-chosen`. Alt+I goes to the first match. With `data-open="by-hand"`, in a page that is
 * not ours, nothing is opened by itself, and the page's address says nothing about a case.
 */
export class IncomingCall extends HTMLElement {
  #name = null;
  #call = null; // {call_id, state, number, did, case_id, matches}
  #gone = null; // answered_elsewhere | over
  #error = null;
  #announced = "";
  #timer = null;
  #parts = {};

  connectedCallback() {
    this.hidden = true;
    this.#parts = {
      status: h("p", { class: "visually-hidden", role: "status", "aria-live": "assertive" }),
      body: h("section", { class: "incoming", "aria-labelledby": "incoming-title" }),
    };
    this.append(this.#parts.status, this.#parts.body);
    onLanguage(() => this.#draw());
    document.addEventListener("stream-event", ({ detail: event }) => this.#heard(event));
    document.addEventListener("stream-resync", () => this.refresh());
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  set reader({ name }) {
    this.#name = name;
    this.refresh();
  }

  /** What rings or was answered, or null. */
  get call() {
    return this.#call;
  }

  get #byHand() {
    return this.dataset.open === "by-hand";
  }

  /** Ask what rings now: the page may have been opened, or cut off, meanwhile. */
  async refresh() {
    if (!this.#name) return;
    try {
      const { items } = await inbound.waiting();
      this.#show(items.at(-1) ?? null);
    } catch {
      return; // the stream's banner says that we are cut off
    }
  }

  #heard(event) {
    if (event.kind === "screen_pop" && event.agent === this.#name) return this.#popped(event);
    const mine = this.#call && event.call_id === this.#call.call_id;
    if (!mine) return;
    if (event.kind === "call.ended") this.#show(null);
    if (event.kind === "call.case") this.#show({ ...this.#call, case_id: event.case_id });
  }

  #popped({ call_id: callId, case_id: caseId, data: { state, number, did, matches } }) {
    if (["answered_elsewhere", "over"].includes(state)) {
      if (this.#call?.call_id === callId) this.#leave(state);
      return;
    }
    this.#show({ call_id: callId, state, number, did, matches, case_id: caseId });
  }

  #show(call) {
    const answered = call?.state === "answered" && (this.#call?.state !== "answered" || this.#call.call_id !== call.call_id);
    clearTimeout(this.#timer);
    this.#gone = this.#error = null;
    this.#call = call;
    this.#draw();
    // Once I talk to them and there is but one case it can be, that case is what I need to see.
    if (answered && call.matches.length === 1 && !this.#byHand) this.#open(call.matches[0].case_id);
  }

  #leave(state) {
    this.#gone = state;
    this.#draw();
    this.#timer = setTimeout(() => this.#show(null), LINGER);
  }

  #draw() {
    const call = this.#call;
    this.hidden = !call;
    this.#announce();
    if (!call) return fill(this.#parts.body);
    const state = this.#gone ?? call.state;
    this.dataset.state = state;
    fill(this.#parts.body,
      h("h2", { id: "incoming-title", class: "incoming-title" }, icon("incoming"), t(`incoming.${state}`)),
      h("p", { class: "incoming-number" }, call.number ? data(phoneNumber(call.number)) : t("incoming.anonymous")),
      h("p", { class: "muted small" }, t("incoming.to"), " ", data(phoneNumber(call.did))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      !this.#gone && this.#matches(call));
  }

  #matches(call) {
    const settled = call.case_id && call.matches.length !== 1;
    if (settled) return h("p", { class: "row small" }, icon("check"), t("incoming.assigned"), " ", data(call.case_id));
    const answered = call.state === "answered";
    const shown = this.#byHand ? null : caseInAddress();
    return [
      h("p", { class: "small" }, t(call.matches.length === 0 ? "incoming.no_match" : call.matches.length === 1 ? "incoming.one_match" : "incoming.matches", { count: call.matches.length })),
      call.matches.length > 0 && h("ul", { class: "incoming-matches" }, call.matches.map((match, index) => this.#match(match, index, call, answered))),
      answered && call.matches.length === 0 && shown && h("button", { type: "button", class: "button button-small", "data-focus": "assign-shown",
        on: { click: () => this.#assign(shown) } }, t("incoming.assign_shown")),
    ];
  }

  #match(match, index, call, answered) {
    return h("li", {},
      h("span", { class: "incoming-who" }, data(match.name || match.party_id), " ", h("span", { class: "muted small" }, t(`relation.${match.relation}`))),
      h("span", { class: "muted small" }, data(match.client), " · ", data(match.case_id), match.state !== "open" && [" · ", t(`state.${match.state}`)]),
      h("span", { class: "incoming-acts" },
        h("button", { type: "button", class: "button button-small", "data-focus": `open-${index}`, "aria-keyshortcuts": index === 0 ? "Alt+I" : null,
          on: { click: () => this.#open(match.case_id) } }, t("incoming.open_case")),
        answered && call.matches.length > 1 && h("button", { type: "button", class: "button button-small button-primary", "data-focus": `assign-${index}`,
          on: { click: () => this.#assign(match.case_id) } }, t("incoming.assign"))));
  }

  #open(caseId) {
    this.dispatchEvent(new CustomEvent("case-chosen", { bubbles: true, detail: caseId }));
  }

  async #assign(caseId) {
    const call = this.#call;
    try {
      await calls.assign(call.call_id, caseId);
      if (this.#call?.call_id !== call.call_id) return;
      this.#show({ ...this.#call, case_id: caseId });
      this.#open(caseId);
    } catch (error) {
      this.#error = error;
      this.#draw();
    }
  }

  #announce() {
    const call = this.#call;
    const who = call?.number ? phoneNumber(call.number) : t("incoming.anonymous");
    const said = call ? `${t(`incoming.${this.#gone ?? call.state}`)}: ${who}` : "";
    if (said === this.#announced) return;
    this.#announced = said;
    this.#parts.status.textContent = said;
  }

  #pressed(event) {
    if (event.code !== "KeyI" || !event.altKey || event.ctrlKey || event.metaKey || this.hidden || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.querySelector("button")?.focus();
  }
}

function caseInAddress() {
  const found = /^\/cases\/([^/]+)$/.exec(location.pathname);
  return found ? decodeURIComponent(found[1]) : null;
}

customElements.define("incoming-call", IncomingCall);
