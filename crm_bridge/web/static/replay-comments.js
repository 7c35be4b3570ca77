// Comments on a call, each pinned to a second of it. Fires `seek` (detail: seconds) and `changed` (detail: all of them).

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { duration, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { replay } from "./oversight-api.js";

export class ReplayComments extends HTMLElement {
  reader = null;
  #callId = null;
  #items = [];
  #writing = null; // the second that is commented on
  #typed = "";
  #error = null;

  connectedCallback() {
    onLanguage(() => this.#draw());
  }

  /** Show a call's comments. */
  async show(callId) {
    this.#callId = callId;
    this.#items = [];
    this.#writing = this.#error = null;
    this.#draw();
    await this.#load();
  }

  get items() {
    return this.#items;
  }

  /** Write about this second. */
  write(second) {
    this.#writing = second;
    this.#draw();
    this.querySelector("textarea").focus();
  }

  async #load() {
    const wanted = this.#callId;
    try {
      const { items } = await replay.comments(wanted);
      if (wanted !== this.#callId) return;
      this.#items = items;
    } catch (error) {
      if (wanted === this.#callId) this.#error = error;
    }
    this.dispatchEvent(new CustomEvent("changed", { detail: this.#items }));
    this.#draw();
  }

  #draw() {
    if (!this.#callId) return fill(this);
    fill(this,
      h("div", { class: "card-head" }, h("h2", {}, t("replay.comments")),
        h("button", { type: "button", class: "button button-small", "data-focus": "add", on: { click: () => this.#fire("ask") } }, icon("note"), t("replay.comment"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#writing !== null && this.#form(),
      h("ol", { class: "rows" }, this.#items.map((item) => this.#row(item))),
      !this.#items.length && this.#writing === null && h("p", { class: "muted" }, t("replay.no_comments")));
  }

  #row(item) {
    const mine = item.author === this.reader?.name || this.reader?.role === "admin";
    return h("li", { class: "comment", "data-comment": item.id },
      h("button", { type: "button", class: "link number", "data-focus": `at-${item.id}`, on: { click: () => this.#fire("seek", item.at_second) } }, duration(item.at_second)),
      h("div", {}, h("p", { class: "comment-text" }, data(item.text)),
        h("p", { class: "muted small line" }, data(item.author), h("time", { datetime: item.created_at, title: exact(item.created_at) }, moment(item.created_at)),
          mine && h("button", { type: "button", class: "link small", on: { click: () => this.#remove(item) } }, t("replay.take_back")))));
  }

  #form() {
    const keyed = (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      if (event.key === "Escape") this.#close();
    };
    const area = h("textarea", { id: "comment", name: "text", maxlength: 2000, rows: 2, "data-focus": "comment", on: { keydown: keyed, input: () => (this.#typed = area.value) } });
    area.value = this.#typed;
    const form = h("form", { class: "comment-form", on: { submit: (event) => this.#submitted(event, area) } },
      h("div", { class: "field" }, h("label", { for: "comment" }, t("replay.comment_at", { at: duration(this.#writing) })), area),
      h("p", { class: "row" }, h("button", { type: "submit", class: "button button-primary button-small" }, t("replay.save")),
        h("button", { type: "button", class: "button button-quiet button-small", on: { click: () => this.#close() } }, t("replay.cancel"))));
    return form;
  }

  async #submitted(event, area) {
    event.preventDefault();
    if (!area.value.trim()) return area.focus();
    try {
      await replay.comment(this.#callId, Math.round(this.#writing * 10) / 10, area.value.trim());
      this.#error = null;
      this.#close();
    } catch (error) {
      this.#error = error;
      return this.#draw();
    }
    await this.#load();
  }

  async #remove(item) {
    try {
      await replay.uncomment(this.#callId, item.id);
    } catch (error) {
      this.#error = error;
    }
    await this.#load();
  }

  #close() {
    this.#writing = null;
    this.#typed = "";
    this.#draw();
    this.#fire("done");
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

customElements.define("replay-comments", ReplayComments);
