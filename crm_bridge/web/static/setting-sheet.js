// One setting: its form, what the change changes, the reason, and saving. Nothing is saved unseen or without a reason.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { differences } from "./setting-diff.js";
import { redraw } from "./setting-fields.js";

class SettingSheet extends HTMLElement {
  #setting = null; // { fields, document, save(document, reason), drop(reason), note(), mayChange, why }
  #draft = null;
  #reason = "";
  #error = null;
  #saved = false;
  #found = null; // what a preview of exactly this draft said
  #parts = null;
  #state = null;

  connectedCallback() {
    onLanguage(() => this.#setting && this.#draw());
  }

  /** Whether something was typed that is not saved. */
  get dirty() {
    return Boolean(this.#setting && differences(this.#setting.document, this.#draft).length);
  }

  /** Show a setting; `saved` says that it is what was just saved. */
  show(setting, saved = false) {
    this.#setting = setting;
    this.#draft = structuredClone(setting.document);
    this.#reason = "";
    this.#error = null;
    this.#saved = saved;
    this.#found = null;
    this.#state = { open: new Set(), disabled: !setting.mayChange, changed: () => this.#changed(), redraw: (focus) => this.#form(focus) };
    this.#draw();
  }

  #draw() {
    this.#parts = { form: h("div", { class: "form" }), change: h("div", { class: "form set-change" }) };
    fill(this, h("section", { class: "card" }, this.#setting.note && h("div", { class: "set-note" }, this.#setting.note()),
      !this.#setting.mayChange && h("p", { class: "muted" }, t(this.#setting.why ?? "set.read_only")), this.#parts.form),
    this.#setting.mayChange && h("section", { class: "card" }, h("h2", {}, t("set.change")), this.#parts.change));
    this.#form();
    this.#drawChange();
  }

  #form(focus) {
    redraw(this.#parts.form, this.#setting.fields(this.#draft), this.#draft, this.#state, focus);
  }

  #changed() {
    this.#saved = false;
    this.#found = null;
    this.#error = null;
    this.#drawChange();
  }

  #drawChange() {
    if (!this.#setting.mayChange) return;
    const changes = differences(this.#setting.document, this.#draft);
    const reason = h("input", { type: "text", maxlength: 2000, value: this.#reason, "data-focus": "reason", on: { input: (event) => {
      this.#reason = event.target.value;
      event.target.removeAttribute("aria-invalid");
    } } });
    fill(this.#parts.change,
      h("div", { role: "status", class: "set-said" },
        this.#saved && h("p", { class: "notice notice-good" }, icon("check"), t("set.saved")),
        this.#found && this.#found(),
        changes.length ? this.#table(changes) : !this.#saved && h("p", { class: "muted" }, t("set.unchanged"))),
      this.#error && this.#told(),
      (changes.length > 0 || this.#setting.drop) && field("set.reason", reason, "set-reason"),
      h("p", { class: "row" },
        h("button", { type: "button", class: "button button-primary", "data-focus": "save", "aria-disabled": String(!changes.length), on: { click: () => changes.length && this.#save() } }, t("set.save")),
        changes.length > 0 && h("button", { type: "button", class: "button", "data-focus": "undo", on: { click: () => this.show(this.#setting) } }, t("set.undo")),
        this.#setting.preview && h("button", { type: "button", class: "button", "data-focus": "preview", on: { click: () => this.#preview() } }, t("set.preview")),
        this.#setting.drop && h("button", { type: "button", class: "button", "data-focus": "drop", on: { click: () => this.#act(() => this.#setting.drop(this.#reason.trim())) } }, t("set.drop"))));
  }

  #table(changes) {
    const side = (text) => (text === null ? h("span", { class: "muted" }, "–") : data(text));
    return h("table", { class: "set-diff" }, h("caption", { class: "small muted" }, t("set.changes", { count: changes.length })),
      h("thead", {}, h("tr", {}, ["set.where", "set.before", "set.after"].map((key) => h("th", { scope: "col" }, t(key))))),
      h("tbody", {}, changes.map(({ where, before, after }) => h("tr", {}, h("th", { scope: "row" }, data(where.join(" › "))), h("td", { class: "set-old" }, side(before)), h("td", { class: "set-new" }, side(after))))));
  }

  #told() {
    const errors = this.#error.members?.errors ?? [];
    return h("div", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("div", {}, h("p", {}, explain(this.#error)),
      errors.length > 0 && h("ul", {}, errors.map((one) => h("li", {}, data(`${one.field}: ${one.message}`)))),
      !errors.length && this.#error.members?.detail && h("p", {}, data(this.#error.members.detail))));
  }

  async #preview() {
    const broken = this.#parts.form.querySelector("input:invalid");
    if (broken) return broken.reportValidity();
    this.#error = null;
    try {
      this.#found = await this.#setting.preview(this.#draft);
    } catch (error) {
      this.#error = error;
    }
    this.#drawChange();
  }

  async #save() {
    const broken = this.#parts.form.querySelector("input:invalid");
    if (broken) return broken.reportValidity();
    await this.#act(() => this.#setting.save(this.#draft, this.#reason.trim()));
  }

  async #act(act) {
    const reason = this.querySelector("#set-reason");
    if (!this.#reason.trim()) {
      reason.setAttribute("aria-invalid", "true");
      return reason.focus();
    }
    try {
      await act();
    } catch (error) {
      this.#error = error;
      return this.#drawChange();
    }
    this.dispatchEvent(new Event("saved"));
  }
}

customElements.define("setting-sheet", SettingSheet);
