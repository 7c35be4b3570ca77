// A note by hand, not about a call: one line until it is wanted.

import { cases, explain } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";

/** Set `caseId`; fires `added` after a note has been saved. */
export class NoteBox extends HTMLElement {
  #caseId = null;
  #open = false;
  #text = "";

  constructor() {
    super();
    onLanguage(() => this.isConnected && this.#draw());
  }

  connectedCallback() {
    this.#draw();
  }

  set caseId(caseId) {
    if (caseId === this.#caseId) return;
    this.#caseId = caseId;
    this.#open = false;
    this.#text = "";
    this.#draw();
  }

  #draw() {
    if (!this.#open) {
      const attributes = { type: "button", class: "button button-small", "data-focus": "add-note", on: { click: () => this.#toggle(true) } };
      return fill(this, h("button", attributes, icon("note"), t("note.add")));
    }
    const text = h("textarea", { rows: 3, dir: "auto", "aria-label": t("note.text"), "data-focus": "note-text", on: { input: () => (this.#text = text.value) } });
    text.value = this.#text;
    const trouble = h("p", { class: "notice notice-bad", role: "alert", hidden: true });
    const save = h("button", { type: "submit", class: "button button-small button-primary" }, t("note.save"));
    const cancel = h("button", { type: "button", class: "button button-small", on: { click: () => this.#toggle(false) } }, t("note.cancel"));
    fill(this, h("form", { class: "note-form", on: { submit: (event) => this.#save(event, save, trouble) } }, text, trouble, h("div", { class: "row" }, save, cancel)));
  }

  #toggle(open) {
    this.#open = open;
    this.#draw();
    this.querySelector(open ? "textarea" : "button").focus();
  }

  async #save(event, save, trouble) {
    event.preventDefault();
    if (!this.#text.trim() || save.disabled) return;
    save.disabled = true;
    try {
      await cases.addNote(this.#caseId, this.#text.trim());
      this.#text = "";
      this.#toggle(false);
      this.dispatchEvent(new CustomEvent("added"));
    } catch (error) {
      save.disabled = false;
      trouble.textContent = explain(error);
      trouble.hidden = false;
    }
  }
}

customElements.define("note-box", NoteBox);
