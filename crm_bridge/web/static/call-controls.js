// What a collector does on a live call: hold, mute, digits, hand on, pause the recording. Set `call`; what the service answers
// comes out as `call-answered` (detail: the call), what it refuses is shown here. `act(name)` is what a key does.

import { calls, explain, serviceNow } from "./api.js";
import { canControl, isPaused, transferOf } from "./call-model.js";
import { data, fill, h } from "./dom.js";
import { duration } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t, tNodes } from "./i18n.js";
import { untilWhen, whyNot } from "./refusal.js";
import "./transfer-dialog.js";

const WARN_AFTER = 120; // seconds on hold, unless the page says otherwise
const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

export class CallControls extends HTMLElement {
  #call = null;
  #busy = null; // the request that is on its way
  #refusal = null; // a function that makes its words
  #keypad = false;
  #sent = 0;
  #parts = {};

  connectedCallback() {
    this.#parts = {
      told: h("div", { class: "control-told" }), // what changes every second must not be read out: the bar's status tells
      refusal: h("div", { class: "control-refusal", role: "alert" }),
      bar: h("div", { class: "controls", role: "group" }),
      keypad: h("div", { class: "keypad", role: "group" }),
      dialog: h("transfer-dialog"),
    };
    this.append(...Object.values(this.#parts));
    this.#parts.dialog.addEventListener("transfer-begun", ({ detail }) => this.#answered(detail));
    onLanguage(() => this.#draw());
    setInterval(() => this.#tick(), 500);
    this.#draw();
  }

  get call() {
    return this.#call;
  }

  set call(call) {
    if (call?.id !== this.#call?.id) this.#forget();
    this.#call = call;
    if (this.isConnected) this.#draw();
  }

  /** What Alt with a letter does; ignored where the button is not there. */
  act(name) {
    if (!canControl(this.#call)) return;
    ({ hold: () => this.#toggleHold(), mute: () => this.#toggleMute(), keypad: () => this.#toggleKeypad(),
       transfer: () => this.#openTransfer(), pause: () => this.#togglePause() })[name]?.();
  }

  #forget() {
    this.#busy = this.#refusal = null;
    this.#keypad = false;
    this.#sent = 0;
  }

  async #send(name, request) {
    if (this.#busy) return;
    this.#busy = name;
    this.#refusal = null;
    this.#draw();
    const about = this.#call.id;
    try {
      this.#answered(await request(about));
    } catch (error) {
      this.#refusal = () => explain(error);
    }
    this.#busy = null;
    this.#draw();
  }

  #answered(call) {
    this.#refusal = null;
    this.dispatchEvent(new CustomEvent("call-answered", { bubbles: true, detail: call }));
  }

  #toggleHold() {
    const held = this.#call.state === "held";
    return this.#send("hold", (id) => (held ? calls.unhold(id) : calls.hold(id)));
  }

  #toggleMute() {
    const muted = this.#call.muted;
    return this.#send("mute", (id) => (muted ? calls.unmute(id) : calls.mute(id)));
  }

  #togglePause() {
    const paused = isPaused(this.#call);
    return this.#send("pause", (id) => (paused ? calls.resumeRecording(id) : calls.pauseRecording(id)));
  }

  #toggleKeypad() {
    this.#keypad = !this.#keypad;
    this.#draw();
    if (this.#keypad) this.#parts.keypad.querySelector("button")?.focus();
    else this.#parts.bar.querySelector("[data-focus=keypad]")?.focus();
  }

  #openTransfer() {
    if (!transferOf(this.#call)) this.#parts.dialog.open(this.#call);
  }

  async #press(digit) {
    try {
      await calls.digits(this.#call.id, digit);
      this.#sent += 1;
      this.#refusal = null;
    } catch (error) {
      this.#refusal = () => explain(error);
    }
    this.#draw();
  }

  // ---- drawing

  #draw() {
    const { bar, keypad, told, refusal } = this.#parts;
    const shown = canControl(this.#call);
    this.hidden = !shown;
    if (!shown) {
      this.#keypad = false;
      return fill(refusal);
    }
    bar.setAttribute("aria-label", t("control.title"));
    fill(bar, this.#buttons());
    if (this.#call.state === "held") this.#keypad = false; // nobody would get the digits
    keypad.hidden = !this.#keypad;
    keypad.setAttribute("aria-label", t("control.keypad"));
    fill(keypad, this.#keypad && this.#keys());
    fill(told, this.#transferBox(), this.#pauseBox(), this.#holdBox());
    fill(refusal, this.#refusal && h("div", { class: "notice notice-bad" }, icon("warning"), h("p", {}, this.#refusal())));
    this.#tick();
  }

  #buttons() {
    const call = this.#call;
    const held = call.state === "held";
    const moving = Boolean(transferOf(call));
    return [
      this.#button("hold", held ? "play" : "pause", held ? "control.unhold" : "control.hold", "L", held, moving, () => this.#toggleHold()),
      this.#button("mute", "mute", call.muted ? "control.unmute" : "control.mute", "M", call.muted, false, () => this.#toggleMute()),
      this.#button("keypad", "keypad", "control.keypad", "G", this.#keypad, held, () => this.#toggleKeypad()),
      this.#button("transfer", "transfer", "control.transfer", "T", null, moving, () => this.#openTransfer()),
      this.#button("pause", "record", isPaused(call) ? "control.resume_recording" : "control.pause_recording", "R", isPaused(call), moving,
        () => this.#togglePause()),
    ];
  }

  #button(name, drawing, words, key, pressed, off, act) {
    const attributes = {
      type: "button", class: "control", "data-focus": name, "data-control": name, "aria-keyshortcuts": `Alt+${key}`,
      "aria-pressed": pressed === null ? null : String(Boolean(pressed)), "aria-haspopup": name === "transfer" ? "dialog" : null,
      "aria-disabled": off || this.#busy === name ? "true" : null, title: `${t(words)} (Alt+${key})`,
      on: { click: () => !off && act() },
    };
    return h("button", attributes, icon(drawing), h("span", {}, t(words)));
  }

  #keys() {
    const keys = DIGITS.map((digit) => h("button", {
      type: "button", class: "key number", "data-focus": `key-${digit}`, translate: "no", "aria-label": t("control.digit", { digit }),
      on: { click: () => this.#press(digit) },
    }, digit));
    const sent = h("p", { class: "muted small" }, this.#sent ? t("control.sent", { count: this.#sent }) : t("control.keypad_hint"));
    return [...keys, sent];
  }

  #transferBox() {
    const transfer = this.#call.transfer;
    if (!transfer || transfer.state === "done" || transfer.state === "canceled") return null;
    const to = data(transfer.to, { class: "number" });
    if (transfer.state === "failed") {
      const why = transfer.denial ? [whyNot(transfer.denial), untilWhen(transfer.denial)] : t(reasonKey(transfer.reason));
      return h("div", { class: "notice notice-warn", "data-transfer": "failed" }, icon("warning"),
        h("div", {}, h("p", {}, tNodes("transfer.failed", { to })), h("p", {}, why)));
    }
    const consulting = transfer.state === "consulting";
    const act = (name, words, kind, request) => h("button", {
      type: "button", class: `button button-small ${kind}`, "data-focus": name, "aria-disabled": this.#busy === name ? "true" : null,
      on: { click: () => this.#send(name, request) },
    }, t(words));
    return h("div", { class: "notice notice-info", "data-transfer": transfer.state }, icon("transfer"),
      h("div", {},
        h("p", {}, tNodes(consulting ? "transfer.consulting" : `transfer.ringing.${transfer.kind}`, { to })),
        h("div", { class: "row" },
          consulting && act("complete", "transfer.complete", "button-primary", (id) => calls.completeTransfer(id)),
          act("cancel", "transfer.cancel", "", (id) => calls.cancelTransfer(id)))));
  }

  #pauseBox() {
    if (!isPaused(this.#call)) return null;
    return h("div", { class: "notice notice-warn", "data-told": "paused" }, icon("record"),
      h("p", {}, tNodes("control.paused", { left: h("span", { class: "pause-left number" }) })));
  }

  #holdBox() {
    return h("div", { class: "notice notice-warn hold-long", hidden: true }, icon("clock"),
      h("p", {}, tNodes("control.held_long", { time: h("span", { class: "hold-time number" }) })));
  }

  /** Only texts change here, so that nothing loses its focus and nobody is told every second. */
  #tick() {
    const call = this.#call;
    if (!canControl(call)) return;
    const left = this.querySelector(".pause-left");
    if (left) left.textContent = duration(Math.max(0, (Date.parse(call.paused_until) - serviceNow()) / 1000));
    const box = this.querySelector(".hold-long");
    if (!box) return;
    const seconds = call.held_at ? (serviceNow() - Date.parse(call.held_at)) / 1000 : 0;
    box.hidden = seconds < Number(this.dataset.holdWarn || WARN_AFTER);
    this.querySelector(".hold-time").textContent = duration(seconds);
  }
}

const reasonKey = (reason) => (knows(`transfer.reason.${reason}`) ? `transfer.reason.${reason}` : "transfer.reason.unreachable");

customElements.define("call-controls", CallControls);
