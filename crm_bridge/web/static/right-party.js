// Who answered? The details of a debt stay hidden until the debtor is on the line; anybody else leads to the script.

import { cases, explain } from "./api.js";
import { rightParty } from "./desk-people-api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { currentLanguage, onLanguage, t, tNodes } from "./i18n.js";

const OWING = ["debtor", "guarantor"];
const RELATIONS = ["spouse", "contact", "employer", "unrelated"];

/** Follows `call-changed`; set `reader` ({name, role}). Fires `party-confirmed` when what may be shown has changed. */
export class RightParty extends HTMLElement {
  reader = null;
  #call = null;
  #case = null;
  #said = null; // the service's answer: who it was, and the script
  #asking = true; // whether the question is open, also again after an answer
  #refused = false;
  #written = null; // the call that is written up: nothing more to ask of it
  #error = null;
  #parts = {};

  connectedCallback() {
    this.#parts = { status: h("p", { class: "visually-hidden", role: "status", "aria-live": "polite" }), body: h("div", { class: "party-question" }), trouble: h("p", { class: "agent-trouble", role: "alert" }) };
    this.append(...Object.values(this.#parts));
    this.hidden = true;
    onLanguage(() => this.#draw());
    document.addEventListener("call-changed", ({ detail }) => this.#follow(detail));
    document.addEventListener("disposition-saved", () => {
      this.#written = this.#call?.id ?? null;
      this.#follow(null);
    });
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #pressed(event) {
    if (event.code !== "KeyW" || !event.altKey || event.ctrlKey || event.metaKey || this.hidden) return;
    event.preventDefault();
    this.querySelector("button")?.focus();
  }

  async #follow(call) {
    if (this.reader?.role !== "collector") return;
    const mine = call?.connected_at && call.case_id && call.id !== this.#written ? call : null;
    const another = mine?.id !== this.#call?.id;
    this.#call = mine;
    if (!mine) return this.#draw();
    if (!another) return;
    this.#case = this.#said = this.#error = null;
    this.#asking = true;
    this.#refused = false;
    try {
      const [kase, said] = await Promise.all([cases.get(mine.case_id), rightParty.get(mine.id)]);
      if (this.#call?.id !== mine.id) return;
      this.#case = kase;
      this.#said = said;
      this.#asking = !said.answer;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  async #say(body) {
    const asked = this.#asking;
    try {
      this.#said = await rightParty.say(this.#call.id, body);
      this.#asking = false;
      this.#refused ||= Boolean(body.refused);
      this.#error = null;
      this.dispatchEvent(new CustomEvent("party-confirmed", { bubbles: true, detail: this.#said }));
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
    if (asked) this.querySelector("[data-lead]")?.focus();
  }

  // ---- drawing

  #draw() {
    const { body, status, trouble } = this.#parts;
    this.hidden = !this.#call || (!this.#case && !this.#error);
    trouble.textContent = this.#error ? explain(this.#error) : "";
    const asks = !this.hidden && this.#case && this.#asking ? t("right.question") : "";
    if (status.textContent !== asks) status.textContent = asks;
    if (this.hidden || !this.#case) return fill(body);
    fill(body, this.#asking ? this.#question() : this.#said.answer === "debtor" ? this.#confirmed() : this.#script());
  }

  #question() {
    const owing = this.#case.parties.filter((party) => OWING.includes(party.relation));
    return [
      h("h2", { class: "pane-title", id: "who-answered" }, t("right.question")),
      h("div", { class: "party-answers", role: "group", "aria-labelledby": "who-answered" },
        owing.map((party) => this.#answer({ answer: "debtor", party_id: party.id }, "check",
          tNodes("right.it_is", { name: data(party.name || t("party.nameless")), relation: t(`relation.${party.relation}`) }))),
        this.#answer({ answer: "third_party" }, "person", t("right.third_party")),
        this.#answer({ answer: "unknown" }, "warning", t("right.unknown"))),
      h("p", { class: "muted small" }, t("right.hint")),
    ];
  }

  #answer(body, symbol, text) {
    return h("button", { type: "button", class: "button", "data-answer": body.answer, "data-focus": `answer-${body.party_id ?? body.answer}`, on: { click: () => this.#say(body) } },
      icon(symbol), h("span", {}, text));
  }

  #confirmed() {
    const party = this.#case.parties.find((one) => one.id === this.#said.party_id);
    return h("div", { class: "notice notice-good" }, icon("check"),
      h("div", {}, h("p", { "data-lead": "", tabindex: "-1" }, tNodes("right.confirmed", { name: data(party?.name || this.#said.party_id) })), this.#change()));
  }

  /** What to say, and what follows from what they say. */
  #script() {
    const text = (this.#said.script?.[currentLanguage()] ?? "").replaceAll("{agent}", this.reader.name);
    const asked = this.#case.parties.find((party) => OWING.includes(party.relation));
    const lines = text.split("\n").map((line) => h("p", {}, line.replaceAll("{name}", asked?.name ?? "…")));
    const followUp = Object.fromEntries(["answer", "party_id", "relation", "wrong_number"].map((key) => [key, this.#said[key]]).filter(([, value]) => value));
    return [
      h("div", { class: "notice notice-warn" }, icon("warning"),
        h("div", {}, h("h2", { class: "pane-title", "data-lead": "", tabindex: "-1" }, t("right.script_title")), h("p", {}, t("right.do_not")))),
      h("div", { class: "script", lang: currentLanguage() }, lines),
      h("div", { class: "party-follow" },
        this.#said.answer === "third_party" && this.#relation(followUp),
        this.#said.wrong_number
          ? h("p", { class: "muted small" }, icon("check"), t("right.wrong_number_done"))
          : h("button", { type: "button", class: "button button-small", "data-focus": "wrong-number", on: { click: () => this.#say({ ...followUp, wrong_number: true }) } }, t("right.wrong_number")),
        this.#refused && h("p", { class: "muted small" }, icon("check"), t("right.refuses_done")),
        this.#said.party_id && !this.#refused && h("button", { type: "button", class: "button button-small", "data-focus": "refuses", on: { click: () => this.#say({ ...followUp, refused: true }) } }, t("right.refuses")),
        this.#change()),
    ];
  }

  #relation(body) {
    const given = this.#said.relation ?? "";
    const option = (value, text) => h("option", { value, selected: value === given }, text);
    const attributes = { "data-focus": "relation", on: { change: (event) => event.target.value && this.#say({ ...body, relation: event.target.value }) } };
    return h("label", { class: "relation-of" }, t("right.relation"),
      h("select", attributes, option("", t("right.relation_unknown")), RELATIONS.map((one) => option(one, t(`relation.${one}`)))));
  }

  #change() {
    const again = () => {
      this.#asking = true;
      this.#draw();
      this.querySelector("button")?.focus();
    };
    return h("button", { type: "button", class: "link", "data-focus": "change-answer", on: { click: again } }, t("right.change"));
  }
}

customElements.define("right-party", RightParty);
