// Deliveries one by one: what waits, what was given up, what arrived; each with what is told and every try.

import { explain } from "./api.js";
import { deliveries } from "./deliveries-api.js";
import { askWhy, tag, when } from "./deliveries-parts.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";

const STATES = ["dead", "waiting", "delivered", "dropped"];

export class DeliveryList extends HTMLElement {
  #wanted = { state: "dead", destination_id: "" };
  #destinations = [];
  #items = null;
  #cursor = null;
  #open = null;
  #error = null;
  #changed = () => {};

  start(changed) {
    this.#changed = changed;
    this.classList.add("card");
    onLanguage(() => this.#draw());
    return this.load();
  }

  /** The destinations to choose from. */
  set destinations(given) {
    this.#destinations = given;
    if (this.#items) this.#draw();
  }

  /** Show the dead letters of one destination. */
  async show(destination, state) {
    this.#wanted = { state, destination_id: destination };
    await this.load();
    this.querySelector("#delivery-state").focus();
  }

  async load(cursor = null) {
    await this.#try(async () => {
      const page = await deliveries.list({ ...this.#wanted, cursor, limit: 50 });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor;
    });
  }

  async #try(act) {
    this.#error = null;
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    fill(this, h("h2", {}, t("deliveries.list")), this.#filters(),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      h("ul", { class: "rows" }, (this.#items ?? []).map((item) => this.#row(item))),
      this.#items?.length === 0 && h("p", { class: "muted", role: "status" }, t("deliveries.none")),
      this.#cursor && h("p", {}, h("button", { type: "button", class: "button", "data-focus": "more", on: { click: () => this.load(this.#cursor) } }, t("cases.more"))));
  }

  #filters() {
    const choice = (name, options) => h("select", { "data-focus": `filter-${name}`, on: { change: (event) => { this.#wanted[name] = event.target.value; this.load(); } } }, options);
    const states = STATES.map((one) => h("option", { value: one, selected: one === this.#wanted.state }, t(`deliveries.state.${one}`)));
    const all = h("option", { value: "" }, t("deliveries.everyone"));
    const named = this.#destinations.map((one) => h("option", { value: one.id, selected: one.id === this.#wanted.destination_id, translate: "no" }, one.name));
    return h("div", { class: "filters" }, field("deliveries.state", choice("state", states), "delivery-state"), field("deliveries.destination", choice("destination_id", [all, ...named]), "delivery-destination"));
  }

  #row(item) {
    const opened = this.#open?.id === item.id;
    return h("li", { "data-delivery": item.id },
      h("div", { class: "line" }, tag(item.state), h("code", { translate: "no" }, item.kind), h("span", {}, "→ ", data(item.destination)),
        item.case_id && h("span", { class: "small" }, t("deliveries.case"), " ", data(item.case_id)), h("span", { class: "small muted" }, when(item.occurred_at)),
        h("span", { class: "end row" },
          h("button", { type: "button", class: "button button-small button-quiet", "data-focus": `open-${item.id}`, "aria-expanded": String(opened), on: { click: () => this.#show(item) } }, t("deliveries.details")),
          item.state !== "waiting" && h("button", { type: "button", class: "button button-small", "data-focus": `replay-${item.id}`, on: { click: () => this.#ask(item, "replay") } }, t("deliveries.replay")),
          (item.state === "waiting" || item.state === "dead") && h("button", { type: "button", class: "button button-small button-quiet", "data-focus": `drop-${item.id}`, on: { click: () => this.#ask(item, "drop") } }, t("deliveries.drop")))),
      (item.reason || item.due_at) && h("p", { class: "small error" }, item.reason && [data(item.reason), " · "], item.due_at && [t("deliveries.next"), " ", when(item.due_at), " · "], item.attempts > 0 && t("deliveries.tries", { count: item.attempts })),
      opened && this.#details(this.#open));
  }

  #details(item) {
    const tried = item.tries.map((one) => h("li", { class: "small" }, h("div", { class: "line" }, tag(one.result), when(one.at), one.status && data(one.status), h("span", {}, t("deliveries.took", { ms: one.milliseconds })), one.reason && data(one.reason)), one.answer && h("pre", { translate: "no", tabindex: 0 }, one.answer)));
    return h("div", { class: "details" }, h("p", { class: "small muted" }, "webhook-id ", data(item.id), item.remote_id && [" · ", t("deliveries.remote"), " ", data(item.remote_id)]),
      h("pre", { translate: "no", tabindex: 0, "aria-label": t("deliveries.payload") }, JSON.stringify(item.payload, null, 2)), h("ul", { class: "tries" }, tried));
  }

  async #show(item) {
    if (this.#open?.id === item.id) {
      this.#open = null;
      this.#draw();
      return;
    }
    await this.#try(async () => { this.#open = await deliveries.get(item.id); });
  }

  async #ask(item, what) {
    const reason = await askWhy(this, t(`deliveries.${what}`), `${item.kind} → ${item.destination}`);
    if (!reason) return;
    await this.#try(() => deliveries[what](item.id, reason));
    if (this.#error) return;
    await this.load();
    this.#changed();
  }
}

customElements.define("delivery-list", DeliveryList);
