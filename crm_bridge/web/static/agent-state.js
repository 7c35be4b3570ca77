// What I am doing: ready, busy, in wrap-up or away, for how long, and what follows. Calls move it by themselves.

import { explain, serviceNow } from "./api.js";
import { agents } from "./desk-people-api.js";
import { fill, h } from "./dom.js";
import { duration } from "./format.js";
import { knows, onLanguage, t } from "./i18n.js";

const CHOICES = ["ready", "busy", "away"];
const REASONS = ["break", "lunch", "training", "meeting"];
const TONES = { ready: "good", busy: "busy", wrap_up: "warn", away: "neutral" };
const CHECK = 30_000; // ms: a stream can be dead without knowing it

/** Set `reader` ({name}) to begin. Alt+R changes between ready and away, or ends the wrap-up. */
export class AgentState extends HTMLElement {
  #name = null;
  #state = null;
  #error = null;
  #announced = "";
  #parts = {};

  connectedCallback() {
    this.#parts = {
      line: h("p", { class: "agent-line" }),
      status: h("p", { class: "visually-hidden", role: "status", "aria-live": "polite" }),
      trouble: h("p", { class: "agent-trouble", role: "alert" }),
      choices: h("div", { class: "agent-choices", role: "group" }),
    };
    this.append(...Object.values(this.#parts));
    onLanguage(() => this.#draw());
    setInterval(() => this.#tick(), 500);
    setInterval(() => this.refresh(), CHECK);
    document.addEventListener("stream-event", ({ detail: event }) => this.#heard(event));
    document.addEventListener("stream-resync", () => this.refresh());
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  set reader({ name }) {
    this.#name = name;
    this.refresh();
  }

  /** Ask the service again. */
  async refresh() {
    if (!this.#name) return;
    try {
      this.#shown(await agents.get(this.#name));
    } catch {
      return; // the stream's banner says that we are cut off
    }
  }

  #heard(event) {
    if (event.agent === this.#name && ["agent.state", "call.created", "call.ended"].includes(event.kind)) this.refresh();
  }

  #pressed(event) {
    if (event.code !== "KeyR" || !event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.#choose(this.#state?.state !== "wrap_up" && this.#state?.next === "ready" ? "away" : "ready");
  }

  async #choose(state, reason = null) {
    try {
      this.#shown(await agents.put(this.#name, state, reason));
    } catch (error) {
      this.#error = error;
      this.#draw();
    }
  }

  #shown(state) {
    this.#state = state;
    this.#error = null;
    this.#draw();
  }

  // ---- drawing

  #draw() {
    const state = this.#state;
    this.hidden = !state;
    if (!state) return;
    const { line, choices, trouble } = this.#parts;
    this.dataset.state = state.state;
    line.dataset.tone = TONES[state.state];
    fill(line, h("span", { class: "dot" }), h("span", { class: "agent-words" }, this.#words()),
      h("span", { class: "agent-time number", role: "timer", "aria-live": "off" }));
    choices.setAttribute("aria-label", t(state.state === "busy" && state.call ? "agent.afterwards" : "agent.mine"));
    fill(choices, CHOICES.map((choice) => this.#button(choice)), state.next === "away" && this.#reasons());
    trouble.textContent = this.#error ? explain(this.#error) : "";
    this.#announce();
    this.#tick();
  }

  #words() {
    const { state, call, next, reason } = this.#state;
    const after = next !== "ready" && (call || state === "wrap_up") ? ` · ${t("agent.then", { state: t(`agent.state.${next}`) })}` : "";
    if (call) return t("agent.state.on_call") + after;
    const why = state === "away" && reason ? ` · ${knows(`agent.reason.${reason}`) ? t(`agent.reason.${reason}`) : reason}` : "";
    return t(`agent.state.${state}`) + why + after;
  }

  #button(choice) {
    const { state, next, call } = this.#state;
    const ends = choice === "ready" && state === "wrap_up";
    const attributes = {
      type: "button", class: "button button-small", "data-focus": `agent-${choice}`, "data-choice": choice,
      "aria-pressed": String(next === choice && !ends), "aria-keyshortcuts": choice === "ready" ? "Alt+R" : null,
      on: { click: () => this.#choose(choice) },
    };
    return h("button", attributes, t(ends ? "agent.ready_now" : call ? `agent.after.${choice}` : `agent.state.${choice}`));
  }

  #reasons() {
    const given = this.#state.reason ?? "";
    const known = REASONS.includes(given) || !given ? REASONS : [...REASONS, given];
    const option = (value, text) => h("option", { value, selected: value === given }, text);
    const attributes = { "aria-label": t("agent.reason"), "data-focus": "agent-reason", on: { change: (event) => this.#choose("away", event.target.value || null) } };
    return h("select", attributes, option("", t("agent.reason.none")),
      known.map((reason) => option(reason, knows(`agent.reason.${reason}`) ? t(`agent.reason.${reason}`) : reason)));
  }

  #announce() {
    const text = this.#words();
    if (text !== this.#announced) this.#parts.status.textContent = this.#announced = text;
  }

  #tick() {
    const place = this.querySelector(".agent-time");
    if (!place || !this.#state) return;
    const { state, since, due_at: due } = this.#state;
    const seconds = (iso) => Math.abs(serviceNow() - Date.parse(iso)) / 1000;
    if (state === "wrap_up" && due) place.textContent = t("agent.left", { time: duration(Date.parse(due) > serviceNow() ? seconds(due) : 0) });
    else place.textContent = since ? duration(seconds(since)) : "";
  }
}

customElements.define("agent-state", AgentState);
