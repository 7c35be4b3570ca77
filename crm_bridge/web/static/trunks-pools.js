// Caller-ID pools, and how often each number was shown.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { pools } from "./trunks-api.js";

const NEW = { name: "", client: "", region: "+", numbers: [], daily_limit: 0, reason: "" };

export class CallerIdPools extends HTMLElement {
  #may = false;
  #pools = [];
  #numbers = [];
  #draft = null;
  #known = false;
  #error = null;
  #parts = { top: h("div", { class: "inset" }), list: h("div"), form: h("div", { class: "inset" }), loads: h("div") };

  async start(may) {
    this.#may = may;
    this.append(h("section", { class: "card" }, ...Object.values(this.#parts)));
    onLanguage(() => this.#draw());
    await this.load();
  }

  async load() {
    await this.#try(async () => {
      const [found, numbers] = await Promise.all([pools.list(), pools.numbers()]);
      this.#pools = found.items;
      this.#numbers = numbers.items;
    });
  }

  #draw() {
    fill(this.#parts.top, h("div", { class: "card-head" }, h("h2", {}, t("trunks.pools")), this.#may && h("button", { type: "button", class: "button", "data-focus": "new-pool", on: { click: () => this.#edit(NEW, false) } }, t("trunks.new_pool"))),
      h("p", { class: "muted small" }, t("trunks.pools_about")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)));
    fill(this.#parts.list, this.#pools.length > 0 && this.#poolTable());
    fill(this.#parts.loads, this.#numbers.length > 0 && this.#loadTable());
    this.#drawForm();
  }

  #poolTable() {
    const head = ["name", "client", "region", "numbers", "daily_limit"].map((key) => h("th", { scope: "col" }, t(`trunks.${key}`)));
    return h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "visually-hidden" }, t("trunks.pools")), h("thead", {}, h("tr", {}, head, h("th", {}, h("span", { class: "visually-hidden" }, t("trunks.edit"))))),
      h("tbody", {}, this.#pools.map((pool) => {
        const hidden = pool.numbers.filter((number) => pool.shown_by[number].length === 0);
        return h("tr", { "data-pool": pool.name }, h("th", { scope: "row" }, data(pool.name)), h("td", {}, pool.client ? data(pool.client) : t("trunks.every_client")),
          h("td", {}, pool.region === "+" ? t("trunks.everywhere") : data(pool.region)),
          h("td", {}, data(pool.numbers.join(", ")), hidden.length > 0 && h("p", { class: "small" }, icon("warning"), " ", t("trunks.never_shown"), " ", data(hidden.join(", ")))),
          h("td", {}, pool.daily_limit || "–"),
          h("td", {}, this.#may && h("button", { type: "button", class: "button button-small", "data-focus": `pool-${pool.name}`, "aria-label": `${t("trunks.edit")} ${pool.name}`, on: { click: () => this.#edit(pool, true) } }, t("trunks.edit"))));
      }))));
  }

  #loadTable() {
    const head = ["number", "today", "week", "daily_limit", "by_trunks"].map((key) => h("th", { scope: "col" }, t(`trunks.${key}`)));
    return h("div", { class: "scroll" }, h("table", { class: "loads" }, h("caption", { class: "visually-hidden" }, t("trunks.loads")), h("thead", {}, h("tr", {}, head)),
      h("tbody", {}, this.#numbers.map((one) => h("tr", { "data-number": one.number }, h("th", { scope: "row" }, data(one.number)), h("td", {}, this.#today(one)),
        h("td", {}, String(one.days.reduce((sum, day) => sum + day.calls, 0))), h("td", {}, one.daily_limit || "–"), h("td", {}, one.trunks.length ? data(one.trunks.join(", ")) : t("trunks.none_may")))))));
  }

  #today(one) {
    const full = one.daily_limit > 0 && one.today >= one.daily_limit;
    return full ? h("span", { class: "tag", "data-tone": "warn" }, String(one.today)) : String(one.today);
  }

  #edit(pool, known) {
    this.#draft = { ...NEW, ...pool, client: pool.client ?? "", reason: "" };
    this.#known = known;
    this.#error = null;
    this.#draw();
    this.querySelector(known ? "#pool-numbers" : "#pool-name").focus();
  }

  #drawForm() {
    this.#parts.form.hidden = !this.#draft;
    if (!this.#draft) return;
    const draft = this.#draft;
    const text = (name, attributes = {}) => h("input", { type: "text", value: draft[name], autocomplete: "off", "data-focus": `pool-${name}`, ...attributes, on: { input: (event) => { draft[name] = event.target.value; } } });
    const numbers = h("textarea", { rows: 3, required: true, "data-focus": "pool-numbers", on: { input: (event) => { draft.numbers = event.target.value.split(/[\s,;]+/).filter(Boolean); } } }, draft.numbers.join(", "));
    const limit = h("input", { type: "number", min: 0, max: 100000, required: true, value: draft.daily_limit, "data-focus": "pool-limit", on: { input: (event) => { draft.daily_limit = Number(event.target.value); } } });
    fill(this.#parts.form, h("form", { class: "form", on: { submit: (event) => { event.preventDefault(); this.#save(); } } },
      h("div", { class: "grid" }, field("trunks.name", text("name", { required: true, readonly: this.#known, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*" }), "pool-name"),
        field("trunks.client", text("client", { maxlength: 128 }), "pool-client"), field("trunks.region", text("region", { maxlength: 16, pattern: "\\+?[0-9]{0,15}" }), "pool-region"),
        field("trunks.daily_limit", limit, "pool-limit"), field("trunks.numbers", numbers, "pool-numbers"), field("trunks.reason", text("reason", { maxlength: 2000 }), "pool-reason")),
      h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "save-pool" }, t("trunks.save")),
        h("button", { type: "button", class: "button", "data-focus": "cancel-pool", on: { click: () => this.#close() } }, t("trunks.cancel")),
        this.#known && h("button", { type: "button", class: "button button-quiet", "data-focus": "remove-pool", on: { click: () => this.#remove() } }, t("trunks.remove")))));
  }

  #close() {
    this.#draft = null;
    this.#draw();
    this.querySelector('[data-focus="new-pool"]')?.focus();
  }

  async #save() {
    const { name, client, region, numbers, daily_limit, reason } = this.#draft;
    await this.#changed(() => pools.save(name, { client: client.trim() || null, region: region.trim() || "+", numbers, daily_limit, reason: reason.trim() || null }));
  }

  async #remove() {
    await this.#changed(() => pools.remove(this.#draft.name, this.#draft.reason.trim()));
  }

  async #changed(act) {
    await this.#try(async () => {
      await act();
      this.#draft = null;
      this.#pools = (await pools.list()).items;
      this.#numbers = (await pools.numbers()).items;
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
}

customElements.define("caller-id-pools", CallerIdPools);
