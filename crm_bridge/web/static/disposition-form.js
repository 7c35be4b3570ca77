// What the collector writes about a call: action code, note, and what the code asks for. It is built once a call and never
// redrawn while somebody types; what was typed survives a reload of the page until it is saved.

import { Problem, actionCodes, calls, explain } from "./api.js";
import { possibleOutcomes } from "./call-model.js";
import { callBack, consequences, field, ownFields, promise } from "./disposition-fields.js";
import { fill, h } from "./dom.js";
import { drafts } from "./drafts.js";
import { capital } from "./format.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";

const FIELDS = { promise: "due_on", "promise.on": "due_on", "promise.amount": "amount", call_back: "call_back.at" }; // where the service names a field otherwise
const AMOUNT = /^\d+([.,]\d{1,2})?$/;
const OPENS = ["promised", "calls_back"]; // boxes that open a part
const NO_CODE = { requires: [], asks: [], effects: [] };
const memory = (callId) => `ringfence.disposition.${callId}`;
const sets = new Map(); // client -> {items, fields}

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
    const client = call.client ?? "";
    if (!sets.has(client)) {
      const found = await actionCodes(call.client).catch(() => null);
      if (found) sets.set(client, found);
    }
    this.#fillCodes();
    this.#fillParts(this.#remembered() ?? this.#values());
  }

  close() {
    this.#call = null;
    this.#form = null;
    this.replaceChildren();
  }

  focusNote() {
    this.#form?.elements[this.#code ? "note" : "action_code"].focus();
  }

  get #set() {
    return sets.get(this.#call?.client ?? "") ?? null;
  }

  get #chosen() {
    return { ...NO_CODE, ...this.#set?.items.find((one) => one.code === this.#code) };
  }

  #build(values) {
    this.#form = h(
      "form",
      { class: "disposition", novalidate: true, "aria-label": t("disposition.title"), on: { submit: (event) => this.#save(event) } },
      h("h3", {}, t("disposition.title")),
      h("div", { class: "pair" }, field("action_code", h("select", { name: "action_code", required: true })), field("outcome", h("select", { name: "outcome" }))),
      field("note", h("textarea", { name: "note", rows: 3, required: true, dir: "auto", "aria-keyshortcuts": "Alt+N" })),
      h("div", { class: "parts" }),
      h("p", { class: "notice notice-bad form-error", role: "alert", hidden: true }),
      h("button", { type: "submit", class: "button button-primary", "aria-keyshortcuts": "Control+Enter" }, t("disposition.save")),
      h("p", { class: "hint" }, ""),
    );
    const { action_code: code, outcome, note } = this.#form.elements;
    code.addEventListener("input", () => {
      const typed = this.#values();
      this.#code = code.value;
      this.#fillParts(typed);
    });
    outcome.addEventListener("input", () => this.#fillParts(this.#values()));
    this.#form.addEventListener("input", ({ target }) => {
      if (OPENS.includes(target.name)) target.dataset.touched = "true"; // opened or closed by hand, not by the code
      this.#remember();
    });
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.ctrlKey) this.#form.requestSubmit();
    });
    fill(this, this.#form);
    this.#code = values.action_code ?? "";
    note.value = values.note ?? "";
    this.#fillCodes();
    this.#fillOutcomes(values.outcome);
    this.#fillParts(values);
    this.#allowSaving();
  }

  #fillOutcomes(chosen = this.#form.elements.outcome.value) {
    const names = possibleOutcomes(this.#call);
    const options = names.map((name) => h("option", { value: name }, t(`outcome.${name}`)));
    fill(this.#form.elements.outcome, h("option", { value: "" }, t("disposition.outcome_measured")), options);
    this.#form.elements.outcome.value = names.includes(chosen) ? chosen : "";
  }

  #fillCodes() {
    if (!this.#form || !this.#set) return;
    const options = this.#set.items.map((one) => h("option", { value: one.code }, `${one.code} ${capital(one.label[currentLanguage()])}`));
    fill(this.#form.elements.action_code, h("option", { value: "" }, t("disposition.choose")), options);
    this.#form.elements.action_code.value = this.#code;
  }

  /** The parts that go with the chosen code; what was typed stays, also while it is hidden by another code. */
  #fillParts(values) {
    if (!this.#form) return;
    const { requires, asks, effects } = this.#chosen;
    const outcome = this.#form.elements.outcome.value || this.#chosen.outcome || this.#call.outcome;
    const talked = Boolean(this.#call.connected_at) && ["conversation", "dropped"].includes(outcome);
    const wants = (name) => asks.includes(name) || requires.includes(name);
    fill(this.#form.querySelector(".parts"),
      promise(values, { required: requires, opened: values.promised ?? wants("promise") }),
      callBack(values, { required: requires, opened: values.calls_back ?? wants("call_back"), talked }),
      ownFields(this.#set?.fields ?? [], values, asks, requires),
      consequences(effects));
  }

  /** A call that lives can be written about, but its disposition is given once it is over. */
  #allowSaving() {
    if (!this.#form) return;
    const over = this.#call.state === "ended";
    this.#form.querySelector("button[type=submit]").disabled = !over || this.#saving;
    this.#form.querySelector(".hint").textContent = over ? "" : t("disposition.after_the_call");
  }

  #values() {
    const typed = { ...this.#remembered() };
    for (const control of this.#form.elements) {
      if (!control.name) continue;
      if (control.type !== "checkbox") typed[control.name] = control.value;
      else if (!OPENS.includes(control.name) || control.dataset.touched) typed[control.name] = control.checked;
    }
    return { ...typed, action_code: this.#code };
  }

  #remember() {
    drafts.set(memory(this.#call.id), this.#values());
  }

  #remembered() {
    return drafts.get(memory(this.#call.id));
  }

  async #save(event) {
    event.preventDefault();
    if (this.#call.state !== "ended" || this.#saving || !this.#check()) return;
    this.#saving = true;
    this.#allowSaving();
    try {
      await calls.dispose(this.#call.id, this.#body());
      drafts.remove(memory(this.#call.id));
      this.dispatchEvent(new CustomEvent("saved"));
    } catch (error) {
      this.#show(error);
    } finally {
      this.#saving = false;
      this.#allowSaving();
    }
  }

  /** What is on the form now. A closed part does not count, nor one that only the code opened and that was left empty. */
  #shown() {
    const values = {};
    for (const control of this.#form.elements) {
      if (control.name && !control.closest("[hidden]")) values[control.name] = control.type === "checkbox" ? control.checked : control.value.trim();
    }
    const meant = (name, ...inside) => values[name] && (this.#form.elements[name].dataset.touched || this.#form.elements[name].disabled || inside.some((one) => values[one]));
    return { ...values, promised: meant("promised", "amount", "due_on"), calls_back: meant("calls_back", "back_at") };
  }

  #check() {
    const values = this.#shown();
    const { requires } = this.#chosen;
    const wrong = {};
    if (!this.#code) wrong.action_code = t("disposition.needs_action_code");
    if (!values.note) wrong.note = t("disposition.needs_note");
    if (values.promised && !AMOUNT.test(values.amount)) wrong.amount = t("disposition.needs_amount");
    if (values.promised && !values.due_on) wrong.due_on = t("disposition.needs_due_on");
    if (values.calls_back && !(Date.parse(values.back_at) > Date.now())) wrong["call_back.at"] = t("disposition.needs_back_at");
    if (requires.includes("outcome") && !values.outcome && !this.#call.outcome) wrong.outcome = t("disposition.needed");
    for (const name of requires) if (`own.${name}` in values && !values[`own.${name}`]) wrong[`fields.${name}`] = t("disposition.needed");
    this.#mark(wrong);
    return Object.keys(wrong).length === 0;
  }

  #body() {
    const values = this.#shown();
    const own = Object.entries(values).filter(([name, value]) => name.startsWith("own.") && value).map(([name, value]) => [name.slice("own.".length), value]);
    return {
      action_code: this.#code,
      note: values.note,
      ...(values.outcome ? { outcome: values.outcome } : {}),
      ...(values.promised ? { promise: { on: values.due_on, amount: values.amount.replace(",", ".") } } : {}),
      ...(values.calls_back ? { call_back: { at: new Date(values.back_at).toISOString(), agreed: Boolean(values.back_agreed) } } : {}),
      ...(own.length ? { fields: Object.fromEntries(own) } : {}),
    };
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

customElements.define("disposition-form", DispositionForm);
