// Where calls from outside go: a route for each number of ours, the groups that they lead to, and what would happen to a call.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { groups, routes } from "./inbound-api.js";
import { GroupList } from "./inbound-groups.js";
import { hoursText, routeForm, waysText } from "./inbound-form.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";

const NEW = { did: "", to: "owner", target: null, hours: null, overflow: [], ring_seconds: 20, announcement: null, closed_message: null, client: null, enabled: true };

class InboundPage extends HTMLElement {
  #may = false;
  #routes = [];
  #groups = [];
  #draft = null;
  #known = false; // whether the draft is of a route that there is
  #asked = { did: "", number: "", at: "" };
  #found = null;
  #error = null;
  #said = null;
  #parts = null;

  async start(reader) {
    this.#may = reader.role === "admin";
    this.#parts = { top: h("div"), list: h("section", { class: "card" }), form: h("section", { class: "card" }), preview: h("section", { class: "card" }) };
    const list = new GroupList();
    this.append(...Object.values(this.#parts), list);
    list.start(this.#may, (found) => {
      this.#groups = found;
      if (this.#draft) this.#drawForm();
    });
    onLanguage(() => this.#draw());
    await this.#load();
  }

  async #load() {
    await this.#try(async () => {
      const [listed, found] = await Promise.all([routes.list(), groups.list()]);
      this.#routes = listed.items;
      this.#groups = found.items;
    });
  }

  #draw() {
    fill(this.#parts.top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.inbound")), this.#may && h("button", { type: "button", class: "button button-primary", "data-focus": "new-route", on: { click: () => this.#edit(NEW, false) } }, t("inbound.new_route"))),
      h("p", { class: "muted" }, t("inbound.about")),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#said && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#said()));
    this.#drawList();
    this.#drawForm();
    this.#drawPreview();
  }

  #drawList() {
    const head = ["did", "leads_to", "hours", "overflow", "client"].map((name) => h("th", { scope: "col" }, t(`inbound.${name}`)));
    const rows = this.#routes.map((route) => h("tr", {},
      h("th", { scope: "row" }, route.did === "*" ? t("inbound.every_other") : data(route.did), !route.enabled && [" ", h("span", { class: "tag", "data-tone": "warn" }, t("inbound.off"))]),
      h("td", {}, waysText([route])), h("td", {}, hoursText(route)), h("td", {}, route.overflow.length ? waysText(route.overflow) : "–"), h("td", {}, route.client ? data(route.client) : "–"),
      h("td", {}, this.#may && h("button", { type: "button", class: "button button-small", "data-focus": `edit-${route.did}`, "aria-label": `${t("inbound.edit")} ${route.did}`, on: { click: () => this.#edit(route, true) } }, t("inbound.edit")))));
    fill(this.#parts.list, h("h2", {}, t("inbound.routes")),
      rows.length === 0 ? h("p", { class: "muted" }, t("inbound.none")) : h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head, h("th", {}, h("span", { class: "visually-hidden" }, t("inbound.edit"))))), h("tbody", {}, rows))));
  }

  #edit(route, known) {
    this.#draft = structuredClone({ ...route, reason: "" });
    this.#known = known;
    this.#error = this.#said = null;
    this.#draw();
    this.querySelector("#route-did").focus();
  }

  #drawForm() {
    this.#parts.form.hidden = !this.#draft;
    if (!this.#draft) return;
    const form = routeForm(this.#draft, this.#groups.map((one) => one.name), this.#known, () => this.#drawForm());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    form.append(h("p", { class: "row" },
      h("button", { class: "button button-primary", "data-focus": "save-route" }, t("inbound.save")),
      h("button", { type: "button", class: "button", "data-focus": "cancel-route", on: { click: () => this.#close() } }, t("inbound.cancel")),
      this.#known && h("button", { type: "button", class: "button button-quiet", "data-focus": "remove-route", on: { click: () => this.#remove() } }, t("inbound.remove"))));
    fill(this.#parts.form, h("h2", {}, this.#known ? data(this.#draft.did) : t("inbound.new_route")), form);
  }

  #close() {
    this.#draft = null;
    this.#draw();
    this.querySelector('[data-focus="new-route"]')?.focus();
  }

  async #save() {
    const { did, updated_at: _at, updated_by: _by, ...body } = this.#draft;
    await this.#changed(() => routes.save(did.trim(), body), "inbound.saved", did);
  }

  async #remove() {
    const { did, reason } = this.#draft;
    await this.#changed(() => routes.remove(did, reason), "inbound.removed", did);
  }

  async #changed(act, said, did) {
    await this.#try(async () => {
      await act();
      this.#draft = null;
      this.#routes = (await routes.list()).items;
      this.#said = () => t(said, { did });
    });
  }

  // ---- what would happen

  #drawPreview() {
    const input = (name, type, extra = {}) => h("input", { type, value: this.#asked[name], "data-focus": `ask-${name}`, ...extra, on: { input: (event) => { this.#asked[name] = event.target.value; } } });
    fill(this.#parts.preview, h("h2", {}, t("inbound.preview")), h("form", { class: "form", on: { submit: (event) => { event.preventDefault(); this.#preview(); } } },
      h("p", { class: "muted small" }, t("inbound.preview_hint")),
      h("div", { class: "grid" }, field("inbound.did", input("did", "tel", { required: true }), "ask-did"), field("inbound.caller", input("number", "tel"), "ask-number"), field("inbound.at", input("at", "datetime-local"), "ask-at")),
      h("p", { class: "row" }, h("button", { class: "button" }, t("inbound.ask"))),
      h("div", { class: "found", role: "status" }, this.#found && this.#told(this.#found))));
  }

  #told(found) {
    const tone = found.what === "ring" ? "good" : "warn";
    const person = (one) => h("li", {}, data(`${one.agent || "–"} (${one.extension})`), " ", h("span", { class: "muted small" }, t(`inbound.why.${one.why}`)));
    return [
      h("p", { class: `notice notice-${tone}` }, icon(tone === "good" ? "check" : "warning"), t(`inbound.what.${found.what}`)),
      found.announcement && h("p", { class: "small" }, t("inbound.announcement"), " ", data(found.announcement)),
      found.matches.length > 0 && h("p", { class: "small" }, t("inbound.matches"), " ", data(found.matches.map((match) => match.case_id).join(", "))),
      found.stops.length > 0 && h("ol", { class: "stops" }, found.stops.map((stop) => h("li", {}, waysText([stop]), stop.people.length > 0 && h("ul", {}, stop.people.map(person))))),
      found.message && h("p", { class: "small" }, t("inbound.message"), " ", data(found.message)),
    ];
  }

  async #preview() {
    this.#found = null;
    await this.#try(async () => {
      const { did, number, at } = this.#asked;
      this.#found = await routes.preview({ did, number, at: at && new Date(at).toISOString() });
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

customElements.define("inbound-page", InboundPage);
const reader = await open();
if (reader) await document.querySelector("inbound-page").start(reader);
