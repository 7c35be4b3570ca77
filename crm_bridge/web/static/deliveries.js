// What leaves the house: who is told what, how much waits, dead letters, and webhooks with their secrets.

import { explain } from "./api.js";
import { destinations, webhooks } from "./deliveries-api.js";
import { DeliveryList } from "./deliveries-list.js";
import { askWhy, bodyOf, draftOf, tag, webhookForm, when } from "./deliveries-parts.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { open } from "./oversight.js";

const REFRESH = 10_000; // ms

class DeliveryDesk extends HTMLElement {
  #destinations = [];
  #hooks = new Map();
  #draft = null;
  #said = null;
  #error = null;
  #parts = null;
  #list = new DeliveryList();

  async start() {
    this.#parts = { top: h("div"), form: h("section", { class: "card", hidden: true }), table: h("section", { class: "card" }) };
    this.append(...Object.values(this.#parts), this.#list);
    onLanguage(() => this.#draw());
    await this.#load();
    await this.#list.start(() => this.#load());
    setInterval(() => document.visibilityState === "visible" && this.#load(true), REFRESH);
  }

  async #load(quietly = false) {
    try {
      const [told, hooks] = await Promise.all([destinations.list(), webhooks.list()]);
      this.#destinations = told.items;
      this.#hooks = new Map(hooks.items.map((hook) => [hook.id, hook]));
      this.#list.destinations = told.items;
    } catch (error) {
      if (!quietly) this.#error = error;
    }
    this.#draw();
  }

  async #try(act, said = null) {
    this.#error = this.#said = null;
    try {
      const answer = await act();
      if (said) this.#said = () => said(answer);
    } catch (error) {
      this.#error = error;
    }
    await this.#load();
    await this.#list.load();
  }

  #draw() {
    fill(this.#parts.top,
      h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.deliveries")), h("button", { type: "button", class: "button button-primary", "data-focus": "new-hook", on: { click: () => this.#edit(null) } }, t("deliveries.new"))),
      h("p", { class: "muted about" }, t("deliveries.about")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), " ", this.#error.code === "validation" && data(this.#error.members.detail))),
      this.#said && h("div", { class: "notice notice-good secret", role: "status" }, icon("check"), h("span", {}, this.#said())));
    this.#drawTable();
    this.#drawForm();
  }

  #drawForm() {
    this.#parts.form.hidden = !this.#draft;
    if (!this.#draft || this.#parts.form.contains(document.activeElement)) return;
    fill(this.#parts.form, h("h2", {}, this.#draft.id ? data(this.#draft.name) : t("deliveries.new")), webhookForm(this.#draft, () => this.#save(), () => this.#close()));
  }

  #drawTable() {
    const head = ["name", "state", "waiting", "dead", "arrived"].map((name) => h("th", { scope: "col", class: name === "waiting" || name === "dead" ? "number" : null }, t(`deliveries.${name}`)));
    const rows = this.#destinations.map((one) => h("tr", { "data-destination": one.id },
      h("th", { scope: "row" }, data(one.name), h("div", { class: "small muted url" }, this.#hooks.has(one.id) ? data(this.#hooks.get(one.id).url) : data(one.kind)), h("div", { class: "small muted url" }, data(one.events.join(", ")))),
      h("td", {}, tag(one.state), h("div", { class: "small error" }, this.#trouble(one))),
      h("td", { class: "number" }, one.waiting, one.oldest_waiting && h("div", { class: "small muted" }, when(one.oldest_waiting))),
      h("td", { class: "number" }, one.dead > 0 ? h("button", { type: "button", class: "link", "data-focus": `dead-${one.id}`, "aria-label": `${t("deliveries.state.dead")} ${one.dead}: ${one.name}`, on: { click: () => this.#list.show(one.id, "dead") } }, one.dead) : "0"),
      h("td", { class: "brief" }, when(one.delivered_at)), h("td", {}, h("div", { class: "acts" }, this.#acts(one)))));
    fill(this.#parts.table, h("h2", {}, t("deliveries.destinations")), rows.length === 0
      ? h("p", { class: "muted" }, t("deliveries.nobody"))
      : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("deliveries.destinations") }, h("table", {}, h("thead", {}, h("tr", {}, head, h("th", {}, h("span", { class: "visually-hidden" }, t("deliveries.acts"))))), h("tbody", {}, rows))));
  }

  #trouble(one) {
    if (one.state !== "on") return one.reason && data(one.reason);
    if (!one.last_error) return null;
    return [data(one.last_error), one.failing_since && [" · ", t("deliveries.since"), " ", when(one.failing_since)], one.paused_until && [" · ", t("deliveries.next"), " ", when(one.paused_until)]].flat();
  }

  #acts(one) {
    const act = (name, run) => h("button", { type: "button", class: "button button-small", "data-focus": `${name}-${one.id}`, "aria-label": `${t(`deliveries.act.${name}`)}: ${one.name}`, on: { click: run } }, t(`deliveries.act.${name}`));
    const hook = this.#hooks.get(one.id);
    return [
      hook && act("ping", () => this.#try(() => webhooks.ping(one.id), (answer) => this.#answered(answer))),
      hook && act("edit", () => this.#edit(hook)),
      hook && act("rotate", () => this.#try(() => webhooks.rotate(one.id), (answer) => this.#secret(answer))),
      (one.state !== "on" || one.failing_since) && act(one.state === "on" ? "retry" : "enable", () => this.#why("enable", one)),
      one.state === "on" && act("disable", () => this.#why("disable", one)),
      one.dead > 0 && act("replay_all", () => this.#why("replay", one)),
      hook && act("remove", () => this.#remove(one)),
    ];
  }

  async #why(what, one) {
    const reason = await askWhy(this, t(`deliveries.why.${what}`), one.name);
    if (reason) await this.#try(() => destinations[what](one.id, reason), (answer) => (what === "replay" ? t("deliveries.replayed", { count: answer.replayed }) : t("deliveries.saved", { name: one.name })));
  }

  async #remove(one) {
    const reason = await askWhy(this, t("deliveries.act.remove"), one.name);
    if (reason) await this.#try(() => webhooks.remove(one.id), () => t("deliveries.removed", { name: one.name }));
  }

  #answered(answer) {
    return [tag(answer.result), " ", t("deliveries.took", { ms: answer.milliseconds }), " ", data([answer.status, answer.reason].filter(Boolean).join(" · "))];
  }

  #secret(hook) {
    return [t("deliveries.secret", { name: hook.name }), " ", h("code", { translate: "no" }, hook.secret)];
  }

  #edit(hook) {
    this.#draft = draftOf(hook);
    this.#error = this.#said = null;
    this.#draw();
    this.querySelector("#hook-url").focus();
  }

  #close() {
    this.#draft = null;
    this.#draw();
    this.querySelector('[data-focus="new-hook"]').focus();
  }

  async #save() {
    const { id, name } = this.#draft;
    const body = bodyOf(this.#draft);
    const save = () => (id ? webhooks.change(id, body) : webhooks.create(body));
    await this.#try(async () => {
      const answer = await save();
      this.#draft = null;
      return answer;
    }, (answer) => (answer.secret ? this.#secret(answer) : t("deliveries.saved", { name: answer.name || name })));
    if (!this.#draft) this.querySelector('[data-focus="new-hook"]').focus();
  }
}

customElements.define("delivery-desk", DeliveryDesk);
if (await open()) await document.querySelector("delivery-desk").start();
