// One call: its waveform, what it is, playing it, and the comments on it. Every command is also one key (see replay.js).

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { day, duration, exact, moment, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t } from "./i18n.js";
import { replay } from "./oversight-api.js";
import { ReplayAudio, SIDES, SPEEDS } from "./replay-audio.js";
import "./replay-comments.js";
import { tags } from "./replay-list.js";
import { shares, silences } from "./wave-form.js";

const REASONS = ["review", "complaint", "dispute", "audit", "training"];
const SKIPPED = 1.2; // seconds of silence that are passed over

export class ReplayPlayer extends HTMLElement {
  reader = null;
  #call = null;
  #wave = null;
  #error = null;
  #audio = new ReplayAudio();
  #reason = sessionStorage.getItem("listening") ?? "review";
  #parts = null;

  connectedCallback() {
    onLanguage(() => this.#draw());
    this.#audio.addEventListener("time", () => this.#timed());
    this.#audio.addEventListener("state", () => this.#drawControls());
    this.#draw();
  }

  /** Show a call (an entry of /v1/recorded-calls); null shows the invitation to choose one. */
  async show(call) {
    this.#audio.unload();
    this.#call = call;
    this.#wave = this.#error = null;
    this.#draw();
    if (!call) return;
    this.#parts.comments.reader = this.reader;
    const comments = this.#parts.comments.show(call.id);
    try {
      const wave = call.playable ? await replay.peaks(call.id) : null;
      if (call !== this.#call) return;
      this.#wave = wave;
      if (wave) this.#loadSound();
    } catch (error) {
      if (call !== this.#call) return;
      this.#error = error;
    }
    this.#draw();
    if (this.#wave) this.#parts.wave.show(this.#wave);
    await comments;
    this.#parts.wave.mark(this.#parts.comments.items ?? []);
  }

  /** It could not be found. */
  fail(error) {
    this.#call = null;
    this.#error = error;
    this.#draw();
  }

  // ---- commands

  toggle() {
    if (this.#wave) this.#audio.toggle();
  }

  step(seconds) {
    this.seek(this.#audio.position + seconds);
  }

  seek(second) {
    if (this.#wave) this.#audio.seek(second);
  }

  toEnd() {
    if (this.#wave) this.seek(this.#wave.duration - 1);
  }

  faster(by) {
    const at = SPEEDS.indexOf(this.#audio.speed) + by;
    if (SPEEDS[at]) this.#audio.setSpeed(SPEEDS[at]);
  }

  skipSilence() {
    this.#audio.skipSilence = !this.#audio.skipSilence;
    this.#drawControls();
  }

  hear(side) {
    if (this.#wave) this.#audio.setSide(side);
  }

  zoom(factor) {
    if (this.#wave) this.#parts.wave.zoom(factor);
  }

  nextRegion() {
    const starts = (this.#wave?.regions ?? []).map((region) => region.start);
    const next = starts.find((start) => start > this.#audio.position + 0.5) ?? starts[0];
    if (next !== undefined) this.seek(next);
  }

  comment() {
    if (!this.#wave) return;
    if (this.#audio.playing) this.#audio.toggle();
    this.#parts.comments.write(this.#audio.position);
  }

  // ---- drawing

  #loadSound() {
    this.#audio.load(replay.audio(this.#call.id, this.#reason), this.#wave.duration);
    this.#audio.silences = silences(this.#wave, SKIPPED);
  }

  #timed() {
    if (!this.#wave || !this.#parts) return;
    this.#parts.wave.move(this.#audio.position, this.#audio.playing);
    this.#parts.clock.textContent = t("replay.at_of", { at: duration(this.#audio.position), of: duration(this.#wave.duration) });
  }

  #draw() {
    if (!this.#call) return fill(this, this.#placeholder());
    this.#parts ??= this.#build();
    const { all, head, trouble, card, regions } = this.#parts;
    if (!this.contains(head)) fill(this, all);
    fill(head, this.#heading());
    const unheard = !this.#call.playable && h("p", { class: "notice notice-warn" }, icon("warning"), t("replay.nothing_to_hear"));
    fill(trouble, this.#error ? h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)) : unheard);
    card.hidden = !this.#wave;
    if (this.#wave) fill(regions, this.#regions());
    this.#drawControls();
    this.#timed();
  }

  #build() {
    const parts = {
      head: h("header", { class: "call-head" }), trouble: h("div"), wave: h("wave-form"), clock: h("p", { class: "clock number" }),
      controls: h("div", { class: "controls", role: "toolbar" }), regions: h("div", { class: "regions" }), comments: h("replay-comments", { class: "card" }),
    };
    parts.wave.addEventListener("seek", (event) => this.seek(event.detail));
    parts.comments.addEventListener("seek", (event) => this.seek(event.detail));
    parts.comments.addEventListener("ask", () => this.comment());
    parts.comments.addEventListener("done", () => parts.wave.focus());
    parts.comments.addEventListener("changed", (event) => this.#commented(event.detail));
    parts.card = h("section", { class: "card player-card", hidden: true }, parts.wave, parts.controls, parts.regions);
    parts.all = [parts.head, parts.trouble, parts.card, parts.comments];
    return parts;
  }

  #commented(items) {
    this.#parts.wave.mark(items);
    if (!this.#call || this.#call.comments === items.length) return;
    this.#call.comments = items.length;
    fill(this.#parts.head, this.#heading());
  }

  #heading() {
    const call = this.#call;
    const facts = [
      [t("replay.number"), data(phoneNumber(call.number), { class: "number" })], [t("replay.agent"), data(call.agent)],
      call.client && [t("case.client"), data(call.client)], call.case_id && [t("case.id"), data(call.case_id)],
      [t("replay.when"), h("time", { datetime: call.created_at, title: exact(call.created_at) }, moment(call.created_at))],
      call.delete_after && [t("replay.kept_until"), h("time", { datetime: call.delete_after }, day(call.delete_after))],
      call.holds.length > 0 && [t("replay.held_by"), data(call.holds.join(", "))],
    ].filter(Boolean);
    const reason = h("select", { "data-focus": "reason", "aria-label": t("replay.why"), on: { change: (event) => this.#because(event.target.value) } },
      REASONS.map((value) => h("option", { value, selected: value === this.#reason }, t(`replay.reason.${value}`))));
    const take = () => this.dispatchEvent(new CustomEvent("export", { detail: call.id }));
    const means = call.playable && h("p", { class: "line end" }, reason, h("button", { type: "button", class: "button button-small", "data-act": "export", "data-focus": "export", on: { click: take } }, t("replay.export")));
    return [
      h("div", { class: "line" }, h("h1", {}, data(call.party_name ?? phoneNumber(call.number))), tags(call), means),
      h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    ];
  }

  #drawControls() {
    if (!this.#parts || !this.#wave) return;
    const audio = this.#audio;
    const button = (key, act, { pressed, name, label, primary } = {}) =>
      h("button", { type: "button", class: `button ${primary ? "button-primary" : "button-small"}`, "data-focus": key, "data-act": key, "aria-pressed": pressed === undefined ? null : String(pressed), "aria-label": label ?? null, title: label ?? null, on: { click: act } }, name);
    const play = t(audio.playing ? "replay.pause" : "replay.play");
    const speed = h("select", { "data-focus": "speed", "aria-label": t("replay.speed"), on: { change: (event) => audio.setSpeed(Number(event.target.value)) } },
      SPEEDS.map((value) => h("option", { value, selected: value === audio.speed }, `${value}×`)));
    this.#parts.controls.setAttribute("aria-label", t("replay.controls"));
    fill(this.#parts.controls,
      button("play", () => this.toggle(), { primary: true, name: [icon(audio.playing ? "pause" : "play"), play] }),
      button("back", () => this.step(-5), { name: "−5", label: t("replay.back") }),
      button("forward", () => this.step(5), { name: "+5", label: t("replay.forward") }),
      this.#parts.clock,
      button("skip", () => this.skipSilence(), { pressed: audio.skipSilence, name: t("replay.skip") }),
      h("div", { class: "switch", role: "group", "aria-label": t("replay.sides") }, SIDES.map((side) =>
        h("button", { type: "button", "data-focus": `side-${side}`, "data-side": side, "aria-pressed": String(audio.side === side), on: { click: () => this.hear(side) } }, t(`replay.side.${side}`)))),
      speed,
      audio.failed && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), t("timeline.not_playable")));
  }

  /** Why the call is heard goes to the journal with the play, so another reason is another play. */
  #because(reason) {
    this.#reason = reason;
    sessionStorage.setItem("listening", reason);
    const [second, playing] = [this.#audio.position, this.#audio.playing];
    this.#loadSound();
    this.#audio.seek(second);
    if (playing) this.#audio.toggle();
  }

  #regions() {
    const talk = Object.entries(shares(this.#wave)).map(([who, share]) =>
      h("span", { class: "share", "data-who": who }, h("span", { class: "dot" }), `${t(`replay.share.${who}`)} ${Math.round(share * 100)}%`));
    const marks = (this.#wave.regions ?? []).map((region) =>
      h("li", {}, h("button", { type: "button", class: "tag region", "data-region": region.kind, on: { click: () => this.seek(region.start) } },
        `${knows(`region.${region.kind}`) ? t(`region.${region.kind}`) : region.kind} ${duration(region.start)}–${duration(region.end)}`)));
    return [h("p", { class: "shares small muted" }, talk), marks.length > 0 && h("ul", { class: "marks" }, marks)];
  }

  #placeholder() {
    if (this.#error) return h("div", { class: "empty", role: "alert" }, icon("warning"), h("h1", {}, t("replay.not_shown")), h("p", {}, explain(this.#error)));
    return h("div", { class: "empty" }, icon("play"), h("h1", {}, t("replay.choose")), h("p", { class: "muted" }, t("replay.choose_hint")));
  }
}

customElements.define("replay-player", ReplayPlayer);
