// The call that is being made: who, both legs, the time, hang up, and afterwards what came of it. It stays while the rest
// of the page changes. The page gives the class its element's name. Give it `dial()` and the stream's call documents; it fires `call-changed` (detail: call or null).

import { NoAnswer, calls, cases, explain, serviceNow } from "./api.js";
import { caseChoice } from "./call-case.js";
import "./call-controls.js";
import { elapsed, endingKey, endingTone, isLive, isMine, supersedes } from "./call-model.js";
import { progress } from "./call-progress.js";
import { intention, place } from "./dialing.js";
import "./disposition-form.js";
import { data, fill, h } from "./dom.js";
import { duration, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t, tNodes } from "./i18n.js";
import { untilWhen, whyNot } from "./refusal.js";

const CHECK = 15_000; // ms: a stream can be dead without knowing it, so a live call is also asked for
const ALERTS = { "refused": "bad", "trouble": "bad", "unsure": "warn", "handed_on": "good" };
const NOTICE_ICONS = { refused: "blocked", handed_on: "check" };

export class CallBar extends HTMLElement {
  extension = null;
  me = null;
  #call = null;
  #who = null; // {name, relation, caseName} of the other end
  #placing = null; // the intention that is on its way
  #notice = null; // {kind, text, target}
  #hangingUp = false;
  #saved = false;
  #announced = "";
  #parts = {};

  connectedCallback() {
    this.#parts = {
      title: h("h2", { class: "pane-title" }),
      status: h("p", { class: "visually-hidden", role: "status", "aria-live": "polite" }),
      notice: h("div", { class: "call-notice", role: "alert" }),
      body: h("div", { class: "call-body" }),
      controls: h("call-controls", { hidden: true, "data-hold-warn": this.dataset.holdWarn }),
      form: h("disposition-form"),
    };
    this.append(...Object.values(this.#parts));
    this.#parts.form.addEventListener("saved", () => this.#dispositionSaved());
    this.#parts.controls.addEventListener("call-answered", (event) => this.apply(event.detail));
    onLanguage(() => this.#draw());
    setInterval(() => this.#tick(), 500);
    setInterval(() => this.#check(), CHECK);
  }

  get call() {
    return this.#call;
  }

  /** Whether a call lives or is on its way: nothing else may be dialled. */
  get busy() {
    return Boolean(this.#placing) || isLive(this.#call);
  }

  /**
   * Call a number of a case. Ignored while a call lives. `target`: {caseId, partyId, number, name, relation}; a number alone
   * is looked up. Resolves to null, or to the error that is shown as well.
   */
  async dial(target) {
    return this.busy ? null : this.#send(intention(target));
  }

  /** A call's document from the stream or from anywhere else. */
  apply(call) {
    if (this.me && !isMine(call, this.me)) return this.#handedOn(call);
    if (!supersedes(call, this.#call)) return;
    const another = call.id !== this.#call?.id;
    const ended = isLive(this.#call) && !another && !isLive(call);
    this.#call = call;
    if (another) this.#begin(call);
    const wasHere = this.#parts.body.contains(this.getRootNode().activeElement);
    this.#draw();
    if (ended && wasHere) this.focusNote(); // Hang up, which had the focus, is gone
    this.#tell();
  }

  /** Somebody else has the call now: what is left of it here is its note. */
  #handedOn(call) {
    if (call.id !== this.#call?.id || !isLive(this.#call)) return;
    const to = call.transfer?.to ?? call.current_agent ?? "";
    this.#call = null;
    this.#tellOff("handed_on", () => tNodes("transfer.handed_on", { to: data(to, { class: "number" }) }));
    this.#tell();
  }

  /** What a key does on a live call. */
  control(name) {
    this.#parts.controls.act(name);
  }

  /** Ask the service which call lives: after a load, and whenever something may have been missed. */
  async resync() {
    try {
      const { items } = await calls.open();
      if (items.length) this.apply(items[0]);
      else if (isLive(this.#call)) this.apply(await calls.get(this.#call.id));
    } catch {
      // The stream's own banner says that we are cut off; the next resync follows it.
    }
  }

  /** Write the disposition of an earlier call whose note is still a draft. */
  complete(call, note, who) {
    if (this.busy) return;
    this.#call = call;
    this.#begin(call, who);
    this.#parts.form.open(call, note);
    this.#draw();
    this.#parts.form.focusNote();
  }

  async hangup() {
    if (!isLive(this.#call) || this.#hangingUp) return;
    this.#hangingUp = true;
    this.#draw();
    try {
      const answer = await calls.hangup(this.#call.id);
      if (answer?.id) this.apply(answer);
    } catch (error) {
      this.#hangingUp = false;
      this.#tellOff("trouble", () => explain(error));
    }
  }

  focusNote() {
    this.#parts.form.focusNote();
  }

  async #send(wish) {
    this.#placing = wish;
    this.#notice = null;
    this.#who = { name: wish.name, relation: wish.relation };
    if (!isLive(this.#call)) this.#call = null;
    this.#parts.form.close();
    this.#draw();
    this.#tell();
    try {
      const call = await place(wish, () => this.#tellOff("unsure", () => t("call.retrying")));
      this.#placing = null;
      this.#notice = null;
      this.apply(call);
      this.#draw();
      this.#tell();
      return null;
    } catch (error) {
      const told = isLive(this.#call) && this.#call.number === wish.number; // the stream was quicker than the answer
      this.#placing = null;
      if (told) this.#notice = null;
      else if (error instanceof NoAnswer) this.#tellOff("unsure", () => t("call.unsure"), wish);
      else this.#refused(error, wish);
      this.#tell();
      return told ? null : error;
    }
  }

  #refused(error, wish) {
    const denied = error.code === "policy-denied" ? error.members : null;
    this.#notice = { kind: "refused", wish: null, who: wish, text: () => (denied ? [whyNot(denied), untilWhen(denied)] : explain(error)) };
    this.#draw();
    this.dispatchEvent(new CustomEvent("call-refused", { bubbles: true, detail: error }));
  }

  #tellOff(kind, text, wish = null) {
    this.#notice = { kind, text, wish, who: null };
    this.#draw();
  }

  async #begin(call, who = null) {
    this.#hangingUp = false;
    this.#saved = false;
    this.#who = who ?? (this.#who?.name && this.#placing?.number === call.number ? this.#who : null);
    this.#placing = null;
    this.#notice = null;
    if (this.#who || !call.case_id) return;
    try {
      const found = await cases.get(call.case_id);
      const party = found.parties.find((one) => one.id === call.party_id);
      if (this.#call?.id === call.id && party) this.#who = { name: party.name, relation: party.relation };
    } catch {
      return; // the number alone still says whom we call
    }
    this.#draw();
  }

  #dispositionSaved() {
    this.#saved = true;
    this.#parts.form.close();
    this.#draw();
    this.dispatchEvent(new CustomEvent("disposition-saved", { bubbles: true, detail: this.#call }));
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("call-changed", { bubbles: true, detail: this.#call }));
  }

  #check() {
    if (isLive(this.#call)) this.resync();
  }

  // ---- drawing

  #draw() {
    const { title, body, form, notice } = this.#parts;
    title.textContent = t(this.#call?.direction === "inbound" ? "call.title_inbound" : "call.title");
    this.dataset.state = this.#placing ? "placing" : (this.#call?.state ?? "idle");
    fill(notice, this.#notice && this.#noticeBox());
    fill(body, this.#placing && !isLive(this.#call) ? this.#placingBox() : this.#call ? this.#callBox() : this.#idleBox());
    this.#parts.controls.call = this.#call;
    const writing = this.#call?.case_id && !this.#saved && (this.#call.connected_at || this.#call.state === "ended");
    if (writing) form.open(this.#call);
    form.hidden = !writing;
    this.#announce();
    this.#tick();
  }

  #noticeBox() {
    const { kind, text, who, wish } = this.#notice;
    return h(
      "div",
      { class: `notice notice-${ALERTS[kind]}`, "data-kind": kind },
      icon(NOTICE_ICONS[kind] ?? "warning"),
      h("div", {},
        who && h("p", { class: "notice-title" }, tNodes("call.not_placed", { who: data(who.name || phoneNumber(who.number)) })),
        h("p", {}, text()),
        wish && h("button", { type: "button", class: "button", on: { click: () => this.#send(wish) } }, t("call.ask_again"))),
    );
  }

  #idleBox() {
    return [
      h("div", { class: "call-idle" }, icon("phone"), h("p", {}, t("call.idle")), h("p", { class: "muted small" }, t("call.idle_hint"))),
    ];
  }

  #heading(number) {
    const name = this.#who?.name ?? phoneNumber(number);
    return [
      h("p", { class: "call-who" }, data(name)),
      h("p", { class: "call-number muted" },
        this.#who?.relation && knows(`relation.${this.#who.relation}`) && h("span", {}, t(`relation.${this.#who.relation}`)),
        this.#who?.name && data(phoneNumber(number), { class: "number" })),
    ];
  }

  #placingBox() {
    return [
      h("div", { class: "call-card" }, this.#heading(this.#placing.number),
        h("p", { class: "call-state", "data-tone": "busy" }, h("span", { class: "dot" }), t("call.placing"))),
    ];
  }

  #callBox() {
    const call = this.#call;
    return [
      h("div", { class: "call-card" },
        this.#heading(call.number),
        h("p", { class: "call-state", "data-tone": this.#tone() }, h("span", { class: "dot" }), h("span", {}, this.#stateText()),
          h("span", { class: "timer number", role: "timer", "aria-live": "off", "aria-label": t("call.timer") })),
        progress(call, this.extension),
        caseChoice(call, (one) => this.apply(one), (words) => this.#tellOff("trouble", () => words)),
        isLive(call) ? this.#hangupButton() : this.#ending()),
    ];
  }

  #hangupButton() {
    const attributes = {
      type: "button", class: "button button-hangup", "data-focus": "hangup", "aria-keyshortcuts": "Alt+H",
      "aria-disabled": this.#hangingUp ? "true" : null, on: { click: () => this.hangup() },
    };
    return h("button", attributes, icon("hangup"), h("span", {}, t(this.#hangingUp ? "call.hanging_up" : "call.hangup")), h("kbd", { translate: "no" }, "Alt+H"));
  }

  #ending() {
    const call = this.#call;
    return [
      call.denial && h("div", { class: "notice notice-bad" }, icon("blocked"), h("p", {}, whyNot(call.denial), untilWhen(call.denial))),
      ...(call.violations ?? []).map((one) => h("div", { class: "notice notice-warn" }, icon("warning"), h("p", {}, violationText(one)))),
      this.#saved && h("div", { class: "notice notice-good" }, icon("check"), h("p", {}, t("disposition.saved"))),
    ].filter(Boolean);
  }

  #tone() {
    const call = this.#call;
    if (!isLive(call)) return endingTone(call);
    return { connected: "good", held: "warn", unknown: "warn" }[call.state] ?? "busy";
  }

  #stateText() {
    const call = this.#call;
    if (!isLive(call)) return t(endingKey(call));
    if (call.state === "calling_customer" && call.alerted_at) return t("call.state.ringing");
    return t(`call.state.${call.state}`);
  }

  #announce() {
    const text = this.#placing ? t("call.placing") : this.#call ? [this.#stateText(), transferText(this.#call)].filter(Boolean).join(" ") : "";
    if (text !== this.#announced) this.#parts.status.textContent = this.#announced = text;
  }

  #tick() {
    const timer = this.querySelector(".timer");
    if (timer && this.#call) timer.textContent = duration(elapsed(this.#call, serviceNow()));
  }
}

/** How a transfer stands, for those who hear the page. */
function transferText(call) {
  const { state, kind, to } = call.transfer ?? {};
  const key = { ringing: `transfer.ringing.${kind}`, consulting: "transfer.consulting", failed: "transfer.failed" }[state];
  return key && isLive(call) ? t(key, { to }) : "";
}

function violationText(violation) {
  const kind = typeof violation === "string" ? violation : violation.kind;
  return knows(`violation.${kind}`) ? t(`violation.${kind}`) : String(kind);
}
