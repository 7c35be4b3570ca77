// What is known of a number beside the number: extension, where it is from, what the desk found out; and marking it.

import { explain } from "./api.js";
import { markNumber } from "./desk-api.js";
import { data, fill, h } from "./dom.js";
import { exact, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, t } from "./i18n.js";

const MARKS = ["valid", "switched_off", "wrong_person", "not_in_service", "no_longer_used", "invalid", "unknown"];
const drafts = new Map(); // number -> {mark, reason}: a row that is drawn again keeps what was typed

/** The nodes beside a number. */
export function numberExtras(number, party) {
  const { extension, mark, place } = number;
  return [
    extension && h("span", { class: "small", "data-extension": extension }, t("number.extension", { extension })),
    mark && h("span", { class: "mark small", "data-status": number.status, "data-mark": mark.mark, title: `${mark.by}, ${exact(mark.at)}: ${mark.reason}` }, t(`mark.${mark.mark}`)),
    placeText(place) && h("span", { class: "muted small place" }, data(placeText(place))),
    Object.assign(h("number-mark"), { target: { partyId: party.id, number: number.e164 } }),
  ];
}

function placeText(place) {
  const said = (what) => place?.[what]?.[currentLanguage()] || place?.[what]?.en;
  return [said("region"), said("carrier")].filter(Boolean).join(" · ");
}

/** A small button that opens a choice of marks with a reason. Fires `case-changed` when the number is marked. */
class NumberMark extends HTMLElement {
  target = null;

  connectedCallback() {
    this.#draw();
  }

  get #key() {
    return `${this.target.partyId} ${this.target.number}`;
  }

  #draw(error = null) {
    const draft = drafts.get(this.#key);
    const name = { number: phoneNumber(this.target.number) };
    const button = h("button", { type: "button", class: "link small", "aria-expanded": String(Boolean(draft)), "data-focus": `mark ${this.#key}`, "aria-label": t("mark.of", name), on: { click: () => this.#toggle() } }, t("mark.open"));
    fill(this, button, draft && this.#form(draft, name, error));
  }

  #toggle() {
    if (!drafts.delete(this.#key)) drafts.set(this.#key, { mark: "valid", reason: "" });
    this.#draw();
    this.querySelector(drafts.has(this.#key) ? "select" : "button").focus();
  }

  #form(draft, name, error) {
    const mark = h("select", { "aria-label": t("mark.of", name), "data-focus": `marks ${this.#key}`, on: { change: () => (draft.mark = mark.value) } },
      MARKS.map((value) => h("option", { value, selected: value === draft.mark }, t(`mark.${value}`))));
    const reason = h("input", { type: "text", required: true, maxlength: 2000, "aria-label": t("mark.reason"), placeholder: t("mark.reason"), value: draft.reason, dir: "auto", "data-focus": `reason ${this.#key}`, on: { input: () => (draft.reason = reason.value) } });
    return h("form", { class: "mark-form", on: { submit: (event) => this.#save(event, draft) } }, mark, reason,
      h("button", { type: "submit", class: "button button-small" }, t("mark.save")),
      error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(error)));
  }

  async #save(event, draft) {
    event.preventDefault();
    if (!draft.reason.trim()) return;
    try {
      await markNumber(this.target.partyId, this.target.number, draft.mark, draft.reason.trim());
      drafts.delete(this.#key);
      this.#draw();
      this.dispatchEvent(new CustomEvent("case-changed", { bubbles: true }));
    } catch (error) {
      this.#draw(error);
    }
  }
}

customElements.define("number-mark", NumberMark);
