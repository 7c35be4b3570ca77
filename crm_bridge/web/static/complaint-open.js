// Recording a complaint from the desk: whoever hears it writes it down, and calling stops at once.

import { explain, request } from "./api.js";
import { data, fill, h } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";

const SEVERITIES = ["general", "serious", "major"];
const CATEGORIES = ["attitude", "harassment", "frequency", "hours", "disclosure", "identity", "amount", "other"];
const CALLS_OFFERED = 10;

/** Fires `case-changed` upwards once the complaint is recorded. */
class ComplaintOpen extends HTMLElement {
  #case = null;
  #calls = [];
  #form = null;

  connectedCallback() {
    onLanguage(() => this.#draw());
  }

  /** The case as it stands, and its calls, newest first. */
  show(kase, calls) {
    const other = kase.id !== this.#case?.id;
    this.#case = kase;
    this.#calls = calls.slice(0, CALLS_OFFERED);
    if (other || kase.complaint?.state === "open") this.#form = null;
    if (!this.#form) this.#draw();
  }

  #draw() {
    if (!this.#case || this.#case.complaint?.state === "open") return fill(this);
    const opened = this.#form !== null;
    const button = h("button", { type: "button", class: "button button-small", "aria-expanded": String(opened), on: { click: () => this.#toggle() } }, t("complaint.board.new"));
    this.#form = opened ? this.#build() : null;
    fill(this, button, this.#form);
  }

  #toggle() {
    this.#form = this.#form ? null : h("form");
    this.#draw();
    (this.querySelector("textarea") ?? this.querySelector("button")).focus();
  }

  #build() {
    const option = (value, text) => h("option", { value }, text);
    const severity = h("select", { id: "complaint-severity", name: "severity" }, SEVERITIES.map((one) => option(one, t(`complaint.severity.${one}`))));
    const category = h("select", { id: "complaint-category", name: "category" }, CATEGORIES.map((one) => option(one, t(`complaint.category.${one}`))));
    const party = h("select", { id: "complaint-party", name: "party" }, this.#case.parties.map((one) => option(one.id, one.name || one.id)));
    const call = h("select", { id: "complaint-call", name: "call" },
      this.#calls.map((one) => option(one.id, `${moment(one.created_at)} ${one.agent}`)), option("", t("complaint.open.no_call")));
    const words = h("textarea", { id: "complaint-words", name: "words", rows: 3, maxlength: 10_000, required: true });
    const field = (label, control) => h("div", { class: "field" }, h("label", { for: control.id }, t(label)), control);
    const send = (event) => this.#send(event, {
      case_id: this.#case.id, severity: severity.value, category: category.value, text: words.value.trim(),
      party_id: party.value || null, call_id: call.value || null,
    });
    return h("form", { class: "complaint-open", on: { submit: send, keydown: (event) => event.key === "Escape" && this.#toggle() } },
      h("p", { class: "small muted" }, t("complaint.open.means")),
      h("div", { class: "complaint-open-row" }, field("complaint.open.who", party), field("complaint.open.about", category), field("complaint.board.severity", severity), field("complaint.open.call", call)),
      field("complaint.open.words", words),
      h("div", { class: "complaint-open-row" },
        h("button", { type: "submit", class: "button button-primary" }, t("complaint.open.submit")),
        h("button", { type: "button", class: "button button-quiet", on: { click: () => this.#toggle() } }, t("replay.cancel"))));
  }

  async #send(event, body) {
    event.preventDefault();
    if (!body.text) return this.querySelector("textarea").focus();
    try {
      await request("POST", "/v1/complaints", { body });
    } catch (error) {
      this.querySelector(".notice")?.remove();
      this.#form.append(h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(error), " ", data(error.members?.detail ?? ""))));
      return;
    }
    this.#form = null;
    this.dispatchEvent(new CustomEvent("case-changed", { bubbles: true }));
  }
}

customElements.define("complaint-open", ComplaintOpen);
