// To whom a call is handed on: colleagues, groups, the case's own numbers, or a number typed. `open(call)`; fires
// `transfer-begun` with the call. A refusal is told in here, and the customer stays on the line.

import { calls, explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { knows, onLanguage, t } from "./i18n.js";
import { untilWhen, whyNot } from "./refusal.js";

class TransferDialog extends HTMLElement {
  #call = null;
  #targets = null;
  #refusal = null;
  #busy = false;
  #dialog = h("dialog", { class: "transfer-dialog", "aria-labelledby": "transfer-title" });

  connectedCallback() {
    this.append(this.#dialog);
    onLanguage(() => this.#dialog.open && this.#draw());
  }

  async open(call) {
    if (this.#dialog.open) return;
    this.#call = call;
    this.#targets = this.#refusal = null;
    this.#busy = false;
    this.#draw();
    this.#dialog.showModal();
    try {
      this.#targets = await calls.transferTargets(call.id);
    } catch (error) {
      this.#targets = { colleagues: [], groups: [], numbers: [] };
      this.#refusal = () => explain(error);
    }
    const typed = this.#dialog.querySelector("[name=to]")?.value;
    this.#draw();
    const field = this.#dialog.querySelector("[name=to]");
    if (typed) field.value = typed;
    field.focus();
  }

  async #begin(to, partyId = null) {
    if (this.#busy || !to) return;
    const kind = new FormData(this.#dialog.querySelector("form")).get("kind");
    this.#busy = true;
    this.#refusal = null;
    this.#tell();
    try {
      const call = await calls.transfer(this.#call.id, { to, kind, ...(partyId ? { party_id: partyId } : {}) });
      this.#dialog.close();
      this.dispatchEvent(new CustomEvent("transfer-begun", { detail: call }));
    } catch (error) {
      const denied = error.code === "policy-denied" ? error.members : null;
      this.#refusal = () => (denied ? [whyNot(denied), untilWhen(denied)] : explain(error));
    }
    this.#busy = false;
    this.#tell();
  }

  #tell() {
    const place = this.#dialog.querySelector(".transfer-refusal");
    if (place) fill(place, this.#refusal && h("div", { class: "notice notice-bad" }, icon("blocked"), h("p", {}, this.#refusal())));
  }

  #draw() {
    const kind = this.#dialog.querySelector("[name=kind]:checked")?.value ?? "blind";
    const form = h("form", { class: "transfer-form", on: { submit: (event) => this.#submitted(event) } },
      h("h2", { id: "transfer-title" }, t("transfer.title")),
      h("fieldset", { class: "transfer-kind" }, h("legend", { class: "visually-hidden" }, t("transfer.kind")),
        ["blind", "attended"].map((one) => h("label", { class: "check" },
          h("input", { type: "radio", name: "kind", value: one, checked: one === kind }), h("span", {}, t(`transfer.kind.${one}`))))),
      h("div", { class: "transfer-refusal", role: "alert" }),
      h("div", { class: "transfer-list" }, this.#targets ? this.#lists() : h("p", { class: "muted" }, t("transfer.loading"))),
      h("div", { class: "field" }, h("label", { for: "transfer-to" }, t("transfer.to")),
        h("div", { class: "row" },
          h("input", { id: "transfer-to", name: "to", autocomplete: "off", maxlength: 64, translate: "no" }),
          h("button", { class: "button button-primary" }, t("transfer.begin")))),
      h("div", { class: "transfer-end" },
        h("button", { type: "button", class: "button", on: { click: () => this.#dialog.close() } }, t("transfer.close"))));
    fill(this.#dialog, form);
    this.#tell();
  }

  #submitted(event) {
    event.preventDefault();
    this.#begin(this.#dialog.querySelector("[name=to]").value.trim());
  }

  #lists() {
    const { colleagues, groups, numbers } = this.#targets;
    return [
      this.#list("transfer.colleagues", colleagues.map((one) => this.#row(one.name, one.extension, one.free ? null : t("transfer.busy"), one.name))),
      this.#list("transfer.groups", groups.map((one) => this.#row(one.name, t("transfer.free_of", { free: one.free, members: one.members }),
        one.free ? null : t("transfer.busy"), one.name))),
      this.#list("transfer.numbers", numbers.map((one) => this.#row(one.name, this.#number(one), one.allowed ? null : this.#denied(one), one.number, one.party_id))),
    ];
  }

  #list(title, rows) {
    if (!rows.length) return null;
    return h("section", {}, h("h3", {}, t(title)), h("ul", {}, rows));
  }

  #number(one) {
    const relation = knows(`relation.${one.relation}`) ? t(`relation.${one.relation}`) : "";
    return h("span", {}, data(phoneNumber(one.number), { class: "number" }), relation && ` · ${relation}`);
  }

  #denied(one) {
    return h("span", {}, whyNot(one), untilWhen(one));
  }

  #row(name, detail, why, to, partyId) {
    return h("li", {},
      h("button", {
        type: "button", class: "target", "aria-disabled": why ? "true" : null, "data-to": to, on: { click: () => !why && this.#begin(to, partyId) },
      }, data(name, { class: "target-name" }), typeof detail === "string" ? h("span", { class: "muted" }, detail) : detail,
        why && h("span", { class: "target-why" }, why)));
  }
}

customElements.define("transfer-dialog", TransferDialog);
