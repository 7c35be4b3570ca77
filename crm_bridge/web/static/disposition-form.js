// What the collector writes about a call: action code, note, promise. It is built once a call and never redrawn while
// somebody types; what was typed survives a reload of the page until it is saved.

import { Problem, actionCodes, calls, explain } from "./api.js";
import { possibleOutcomes } from "./call-model.js";
import { fill, h } from "./dom.js";
import { capital } from "./format.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";

const FIELDS = { "promise.on": "due_on", "promise.amount": "amount" }; // where the service names a field otherwise
const memory = (callId) => `ringfence.disposition.${callId}`;
let codes = null;

/** Fires `saved` when the service has the disposition. `open(call)` again with a later document of the same call. */
export class DispositionForm extends HTMLElement {
  #call = null;
  #code = ""; // chosen before the codes may have arrived
  #form = null;
  #saving = false;

  connectedCallback() {
    onLanguage(() => this.#form && this.#build(this.#values()));
  }

  /** Show the form for a call, with what was typed before or else with what is known. */
  async open(call, draft = {}) {
    if (this.#call?.id === call.id) {
      this.#call = call;
      this.#fillOutcomes();
      this.#allowSaving();
      return;
    }
    this.#call = call;
    this.#build(this.#remembered() ?? { action_code: draft.action_code ?? "", note: draft.text ?? "" });
    codes ??= await actionCodes().then((answer) => answer.items, () => null);
    this.#fillCodes();
  }

  close() {
    this.#call = null;
    this.#form = null;
    this.replaceChildren();
  }

  focusNote() {
    this.#form?.elements[this.#code ? "note" : "action_code"].focus();
  }

  #build(values) {
    this.#form = h(
      "form",
      { class: "disposition", novalidate: true, "aria-label": t("disposition.title"), on: { submit: (event) => this.#save(event) } },
      h("h3", {}, t("disposition.title")),
      h("div", { class: "pair" }, field("action_code", h("select", { name: "action_code", required: true })), field("outcome", h("select", { name: "outcome" }))),
      field("note", h("textarea", { name: "note", rows: 3, required: true, dir: "auto", "aria-keyshortcuts": "Alt+N" })),
      this.#promise(),
      h("p", { class: "notice notice-bad form-error", role: "alert", hidden: true }),
      h("button", { type: "submit", class: "button button-primary", "aria-keyshortcuts": "Control+Enter" }, t("disposition.save")),
      h("p", { class: "hint" }, ""),
    );
    this.#form.elements.action_code.addEventListener("input", (event) => (this.#code = event.target.value));
    this.#form.addEventListener("input", () => this.#remember());
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.ctrlKey) this.#form.requestSubmit();
    });
    fill(this, this.#form);
    this.#code = values.action_code ?? "";
    this.#fillCodes();
    this.#fillOutcomes(values.outcome);
    this.#restore(values);
    this.#allowSaving();
  }

  #fillOutcomes(chosen = this.#form.elements.outcome.value) {
    const names = possibleOutcomes(this.#call);
    const options = names.map((name) => h("option", { value: name }, t(`outcome.${name}`)));
    fill(this.#form.elements.outcome, h("option", { value: "" }, t("disposition.outcome_measured")), options);
    this.#form.elements.outcome.value = names.includes(chosen) ? chosen : "";
  }

  #promise() {
    const amount = h("input", { name: "amount", inputmode: "decimal", autocomplete: "off" });
    const due = h("input", { name: "due_on", type: "date" });
    const fields = h("div", { class: "promise", hidden: true }, field("amount", amount), field("due_on", due));
    const box = h("input", { type: "checkbox", name: "promised", on: { change: () => (fields.hidden = !box.checked) } });
    return h("fieldset", {}, h("legend", { class: "visually-hidden" }, t("disposition.promise")),
      h("label", { class: "check" }, box, t("disposition.promise")), fields);
  }

  #fillCodes() {
    if (!this.#form || !codes) return;
    const options = codes.map((one) => h("option", { value: one.code }, `${one.code} ${capital(one.label[currentLanguage()])}`));
    fill(this.#form.elements.action_code, h("option", { value: "" }, t("disposition.choose")), options);
    this.#form.elements.action_code.value = this.#code;
  }

  /** A call that lives can be written about, but its disposition is given once it is over. */
  #allowSaving() {
    if (!this.#form) return;
    const over = this.#call.state === "ended";
    this.#form.querySelector("button[type=submit]").disabled = !over || this.#saving;
    this.#form.querySelector(".hint").textContent = over ? "" : t("disposition.after_the_call");
  }

  #values() {
    const { outcome, note, promised, amount, due_on } = this.#form.elements;
    return {
      action_code: this.#code, outcome: outcome.value, note: note.value,
      promised: promised.checked, amount: amount.value, due_on: due_on.value,
    };
  }

  #restore(values) {
    for (const [name, value] of Object.entries(values)) {
      if (name === "promised") this.#form.elements.promised.checked = value;
      else if (!["action_code", "outcome"].includes(name)) this.#form.elements[name].value = value ?? "";
    }
    this.#form.elements.promised.dispatchEvent(new Event("change"));
  }

  #remember() {
    sessionStorage.setItem(memory(this.#call.id), JSON.stringify(this.#values()));
  }

  #remembered() {
    return JSON.parse(sessionStorage.getItem(memory(this.#call.id)) ?? "null");
  }

  async #save(event) {
    event.preventDefault();
    if (this.#call.state !== "ended" || this.#saving || !this.#check()) return;
    this.#saving = true;
    this.#allowSaving();
    try {
      await calls.dispose(this.#call.id, body(this.#values()));
      sessionStorage.removeItem(memory(this.#call.id));
      this.dispatchEvent(new CustomEvent("saved"));
    } catch (error) {
      this.#show(error);
    } finally {
      this.#saving = false;
      this.#allowSaving();
    }
  }

  #check() {
    const values = this.#values();
    const wrong = {};
    if (!values.action_code) wrong.action_code = t("disposition.needs_action_code");
    if (!values.note.trim()) wrong.note = t("disposition.needs_note");
    if (values.promised && !/^\d+([.,]\d{1,2})?$/.test(values.amount.trim())) wrong.amount = t("disposition.needs_amount");
    if (values.promised && !values.due_on) wrong.due_on = t("disposition.needs_due_on");
    this.#mark(wrong);
    return Object.keys(wrong).length === 0;
  }

  #mark(wrong) {
    for (const holder of this.#form.querySelectorAll(".field")) {
      const message = wrong[holder.dataset.field];
      holder.querySelector(".field-error").textContent = message ?? "";
      holder.querySelector("input, select, textarea").setAttribute("aria-invalid", String(Boolean(message)));
    }
    this.#form.querySelector(".form-error").hidden = true;
    this.#form.querySelector("[aria-invalid=true]")?.focus();
  }

  #show(error) {
    const errors = error instanceof Problem ? (error.members.errors ?? []) : [];
    const wrong = Object.fromEntries(errors.map((one) => [FIELDS[one.field] ?? one.field, currentLanguage() === "en" ? one.message : t("disposition.wrong")]));
    this.#mark(wrong);
    const message = this.#form.querySelector(".form-error");
    message.textContent = explain(error);
    message.hidden = false;
  }
}

function body(values) {
  return {
    action_code: values.action_code,
    note: values.note.trim(),
    ...(values.outcome ? { outcome: values.outcome } : {}),
    ...(values.promised ? { promise: { on: values.due_on, amount: values.amount.trim().replace(",", ".") } } : {}),
  };
}

function field(name, control) {
  control.id = `disposition-${name}`;
  control.setAttribute("aria-describedby", `${control.id}-error`);
  return h(
    "div",
    { class: "field", "data-field": name },
    h("label", { for: control.id }, t(`disposition.${name}`)),
    control,
    h("p", { class: "field-error", id: `${control.id}-error` }),
  );
}

customElements.define("disposition-form", DispositionForm);
