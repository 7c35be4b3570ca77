// Who may come in: users with their roles and what they may see, the groups that are rung, and tokens of programs.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { stamp } from "./format.js";
import { icon } from "./icons.js";
import { GroupList } from "./inbound-groups.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { people } from "./people-api.js";
import { personForm, ROLES } from "./people-form.js";
import { TokenList } from "./people-tokens.js";

const NEW = { name: "", role: "collector", extension: null, pbx: null, team: null, clients: [], language: "zh", email: null, active: true };
const LIMIT = 50;
const SETTABLE = Object.keys(NEW).filter((name) => name !== "name");

class PeoplePage extends HTMLElement {
  #items = [];
  #next = null;
  #asked = { q: "", role: "", active: "true" };
  #draft = null;
  #known = false;
  #error = null;
  #said = null;
  #parts = null;

  async start() {
    this.#parts = { top: h("div"), list: h("section", { class: "card" }), form: h("section", { class: "card" }) };
    const groups = new GroupList();
    const tokens = new TokenList();
    this.append(...Object.values(this.#parts), tokens, groups);
    onLanguage(() => this.#draw());
    await this.#load();
    await Promise.all([groups.start(true, () => {}), tokens.start()]);
  }

  async #load(cursor = null) {
    await this.#try(async () => {
      const page = await people.list({ ...this.#asked, limit: LIMIT, cursor });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#next = page.next_cursor;
    });
  }

  #draw() {
    fill(this.#parts.top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.people")), h("button", { type: "button", class: "button button-primary", "data-focus": "new-person", on: { click: () => this.#edit(NEW, false) } }, t("people.new"))),
      h("p", { class: "muted" }, t("people.about")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#said && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#said()));
    this.#drawList();
    this.#drawForm();
  }

  #drawList() {
    const set = (name) => (event) => { this.#asked[name] = event.target.value; };
    const choose = (name, values, words) => h("select", { "data-focus": `ask-${name}`, on: { change: (event) => { this.#asked[name] = event.target.value; this.#load(); } } }, values.map((one) => h("option", { value: one, selected: one === this.#asked[name] }, words(one))));
    const head = ["name", "role", "extension", "team", "clients", "login"].map((name) => h("th", { scope: "col" }, t(`people.${name}`)));
    fill(this.#parts.list, h("h2", {}, t("people.users")),
      h("form", { class: "people-filter", role: "search", on: { submit: (event) => { event.preventDefault(); this.#load(); } } },
        field("people.search", h("input", { type: "search", value: this.#asked.q, "data-focus": "ask-q", maxlength: 128, on: { input: set("q") } }), "ask-q"),
        field("people.role", choose("role", ["", ...ROLES], (one) => (one ? t(`role.${one}`) : t("people.every_role"))), "ask-role"),
        field("people.state", choose("active", ["true", "false", ""], (one) => t(`people.active.${one || "all"}`)), "ask-active"),
        h("button", { class: "button" }, t("people.find"))),
      this.#items.length === 0 ? h("p", { class: "muted" }, t("people.none")) : h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("people.users") },
        h("table", {}, h("thead", {}, h("tr", {}, head, h("th", {}, h("span", { class: "visually-hidden" }, t("people.edit"))))), h("tbody", {}, this.#items.map((one) => this.#row(one))))),
      this.#next && h("p", { class: "row" }, h("button", { type: "button", class: "button", "data-focus": "more-people", on: { click: () => this.#load(this.#next) } }, t("people.more"))));
  }

  #row(one) {
    return h("tr", { "data-person": one.name }, h("th", { scope: "row" }, data(one.name), !one.active && [" ", h("span", { class: "tag", "data-tone": "warn" }, t("people.off"))]),
      h("td", {}, t(`role.${one.role}`)), h("td", { class: "number" }, one.extension ? data(one.pbx ? `${one.extension} · ${one.pbx}` : one.extension) : "–"),
      h("td", {}, one.team ? data(one.team) : "–"), h("td", {}, one.clients.length ? data(one.clients.join(", ")) : t("people.all_clients")), h("td", {}, login(one)),
      h("td", {}, h("button", { type: "button", class: "button button-small", "data-focus": `person-${one.name}`, "aria-label": `${t("people.edit")} ${one.name}`, on: { click: () => this.#edit(one, true) } }, t("people.edit"))));
  }

  #edit(one, known) {
    this.#draft = { ...structuredClone(one), password: "", must_change_password: true };
    this.#known = known;
    this.#error = this.#said = null;
    this.#draw();
    this.querySelector(known ? "#person-role" : "#person-name").focus();
  }

  #drawForm() {
    this.#parts.form.hidden = !this.#draft;
    if (!this.#draft) return;
    const form = personForm(this.#draft, this.#known);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    form.append(h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "save-person" }, t("people.save")),
      h("button", { type: "button", class: "button", "data-focus": "cancel-person", on: { click: () => this.#close() } }, t("people.cancel")),
      this.#known && h("button", { type: "button", class: "button button-quiet", "data-focus": "let-go", on: { click: () => this.#letGo() } }, t("people.let_go"))));
    fill(this.#parts.form, h("h2", {}, this.#known ? data(this.#draft.name) : t("people.new")), form);
  }

  #close() {
    this.#draft = null;
    this.#draw();
    this.querySelector('[data-focus="new-person"]').focus();
  }

  async #save() {
    const { name, password, must_change_password } = this.#draft;
    const body = Object.fromEntries(SETTABLE.map((key) => [key, this.#draft[key]]));
    if (password) Object.assign(body, { password, must_change_password });
    await this.#changed(() => (this.#known ? people.change(name, body) : people.create({ name: name.trim(), ...body })), "people.saved", name);
  }

  async #letGo() {
    const { name } = this.#draft;
    await this.#changed(() => people.remove(name), "people.gone", name);
  }

  async #changed(act, said, name) {
    await this.#try(async () => {
      await act();
      this.#draft = null;
      const page = await people.list({ ...this.#asked, limit: LIMIT });
      [this.#items, this.#next] = [page.items, page.next_cursor];
      this.#said = () => t(said, { name });
    });
  }

  async #try(act) {
    this.#error = this.#said = null;
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }
}

function login(one) {
  if (!one.may_log_in) return h("span", { class: "muted" }, t("people.tokens_only"));
  if (one.locked_until && Date.parse(one.locked_until) > Date.now()) return h("span", { class: "tag", "data-tone": "bad" }, t("people.locked"));
  if (one.must_change) return h("span", { class: "tag", "data-tone": "warn" }, t("people.must_change"));
  return one.login_set_at ? t("people.since", { at: stamp(one.login_set_at) }) : "–";
}

customElements.define("people-page", PeoplePage);
if (await open()) await document.querySelector("people-page").start();
