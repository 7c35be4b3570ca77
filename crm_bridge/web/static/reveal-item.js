// One masked item, which may be shown in full for a short time to somebody who says why. The reason stays in the journal.

import { explain } from "./api.js";
import { reveal } from "./desk-people-api.js";
import { data, fill, h } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

const SHORTEST_REASON = 2;
const shown = new Map(); // what is shown in full now, so that it stays when the page is drawn again

/** Set `item`: {what: {kind, party_id, number?}, masked, name}. */
export class RevealItem extends HTMLElement {
  item = null;
  #asking = false;
  #error = null;
  #timer = null;

  connectedCallback() {
    onLanguage(() => this.isConnected && this.#draw());
    this.#draw();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  get #key() {
    return JSON.stringify(this.item.what);
  }

  #draw() {
    clearInterval(this.#timer);
    const open = shown.get(this.#key);
    if (open && open.until > Date.now()) {
      this.#timer = setInterval(() => this.#tick(), 500);
      fill(this, data(open.value, { class: "number revealed" }), h("span", { class: "muted small", "data-left-seconds": "" }),
        h("button", { type: "button", class: "link", "data-focus": `hide-${this.#key}`, on: { click: () => this.#hide() } }, t("reveal.hide")));
      return this.#tick();
    }
    fill(this, data(this.item.masked, { class: "number" }), this.#asking ? this.#form() : this.#button());
  }

  #button() {
    const ask = () => {
      this.#asking = true;
      this.#draw();
      this.querySelector("input")?.focus();
    };
    return h("button", { type: "button", class: "link", "data-focus": `show-${this.#key}`, "aria-label": t("reveal.show_this", { what: t(`reveal.${this.item.what.kind}`), name: this.item.name }), on: { click: ask } }, t("reveal.show"));
  }

  #form() {
    const stop = () => {
      this.#asking = false;
      this.#error = null;
      this.#draw();
      this.querySelector("button")?.focus();
    };
    const input = h("input", { type: "text", name: "reason", required: true, minlength: SHORTEST_REASON, maxlength: 500, autocomplete: "off", "aria-label": t("reveal.reason"), placeholder: t("reveal.reason") });
    const submit = (event) => {
      event.preventDefault();
      this.#ask(input.value.trim());
    };
    return h("form", { class: "reveal-form", on: { submit, keydown: (event) => event.key === "Escape" && stop() } }, input,
      h("button", { class: "button button-small" }, t("reveal.show")),
      h("button", { type: "button", class: "link", on: { click: stop } }, t("reveal.cancel")),
      this.#error && h("p", { class: "agent-trouble small", role: "alert" }, explain(this.#error)));
  }

  async #ask(reason) {
    if (reason.length < SHORTEST_REASON) return;
    const asked = Date.now();
    try {
      const answer = await reveal(this.item.what, reason);
      const seconds = Math.min(Math.max((Date.parse(answer.expires_at) - asked) / 1000, 5), 3600);
      shown.set(this.#key, { value: answer.value, until: Date.now() + seconds * 1000 });
      this.#asking = false;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
    this.querySelector("button, input")?.focus();
  }

  #hide() {
    shown.delete(this.#key);
    this.#draw();
    this.querySelector("button")?.focus();
  }

  #tick() {
    const left = Math.ceil(((shown.get(this.#key)?.until ?? 0) - Date.now()) / 1000);
    if (left <= 0) return this.#hide();
    const place = this.querySelector("[data-left-seconds]");
    if (place) place.textContent = t("reveal.left", { seconds: left });
  }
}

customElements.define("reveal-item", RevealItem);
