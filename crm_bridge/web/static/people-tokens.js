// Tokens of programs: made here, shown once, revoked at once.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { stamp } from "./format.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";
import { tokens } from "./people-api.js";

const LIMIT = 200;

export class TokenList extends HTMLElement {
  #items = [];
  #next = null;
  #draft = { user: "", label: "", days: "90", scopes: "" };
  #made = null;
  #error = null;

  async start() {
    this.classList.add("card");
    onLanguage(() => this.#draw());
    await this.#act(async () => {});
  }

  async #act(act, cursor = null) {
    this.#error = null;
    try {
      await act();
      const page = await tokens.list({ limit: LIMIT, cursor });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#next = page.next_cursor;
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    const alive = this.#items.filter((one) => !one.revoked_at);
    fill(this, h("h2", {}, t("tokens.title")), h("p", { class: "muted" }, t("tokens.about")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#made && h("div", { class: "notice notice-good token-once", role: "status" }, icon("check"), h("div", {}, h("p", {}, t("tokens.once")),
        h("input", { type: "text", readonly: true, value: this.#made, "aria-label": t("tokens.token"), "data-focus": "made-token", translate: "no", on: { focus: (event) => event.target.select() } }))),
      this.#form(),
      alive.length > 0 && h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("tokens.title") }, h("table", {},
        h("thead", {}, h("tr", {}, ["user", "label", "scopes", "created", "expires"].map((name) => h("th", { scope: "col" }, t(`tokens.${name}`))), h("th", {}, h("span", { class: "visually-hidden" }, t("tokens.revoke"))))),
        h("tbody", {}, alive.map((one) => this.#row(one))))),
      this.#next && h("p", { class: "row" }, h("button", { type: "button", class: "button", on: { click: () => this.#act(async () => {}, this.#next) } }, t("people.more"))));
  }

  #row(one) {
    return h("tr", { "data-token": one.id }, h("th", { scope: "row" }, data(one.user)), h("td", {}, data(one.label)),
      h("td", {}, one.kind === "click" ? t("tokens.click") : one.scopes ? data(one.scopes.join(", ")) : t("tokens.everything")),
      h("td", {}, stamp(one.created_at)), h("td", {}, one.expires_at ? stamp(one.expires_at) : t("tokens.never")),
      h("td", {}, h("button", { type: "button", class: "button button-small", "data-focus": `revoke-${one.id}`, "aria-label": `${t("tokens.revoke")} ${one.user} ${one.label}`, on: { click: () => this.#act(() => tokens.revoke(one.id)) } }, t("tokens.revoke"))));
  }

  #form() {
    const input = (name, attributes = {}) => h("input", { type: "text", value: this.#draft[name], "data-focus": `token-${name}`, maxlength: 128, autocomplete: "off", ...attributes, on: { input: (event) => { this.#draft[name] = event.target.value; } } });
    return h("form", { class: "form", on: { submit: (event) => { event.preventDefault(); this.#create(); } } }, h("div", { class: "grid" },
      field("tokens.user", input("user", { required: true }), "token-user"), field("tokens.label", input("label"), "token-label"),
      field("tokens.scopes", input("scopes", { maxlength: 2000 }), "token-scopes"), field("tokens.days", input("days", { type: "number", min: 1, max: 3650 }), "token-days")),
      h("p", { class: "muted small" }, t("tokens.scopes_hint")),
      h("p", { class: "row" }, h("button", { class: "button", "data-focus": "create-token" }, t("tokens.create"))));
  }

  async #create() {
    const { user, label, days, scopes } = this.#draft;
    const list = scopes.split(/[\s,，]+/).filter(Boolean);
    const expires = days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : null;
    this.#made = null;
    await this.#act(async () => {
      this.#made = (await tokens.create({ user: user.trim(), label, expires_at: expires, scopes: list.length ? list : null })).token;
      this.#draft = { user: "", label: "", days, scopes: "" };
    });
    if (this.#made) this.querySelector('[data-focus="made-token"]').focus();
  }
}

customElements.define("token-list", TokenList);
