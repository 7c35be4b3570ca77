// The settings of the clients: whose, which, and the sheet on which it is changed. The address names what is shown.

import "./calendar-days.js";
import "./setting-sheet.js";

import { explain } from "./api.js";
import { KINDS } from "./client-kinds.js";
import { settings } from "./client-settings-api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";

class ClientSettings extends HTMLElement {
  #reader = null;
  #clients = [];
  #chosen = { tab: KINDS[0].id, client: "", of: "" };
  #options = [];
  #error = null;
  #asked = 0;
  #parts = null;

  async start(reader) {
    this.#reader = reader;
    this.#parts = { top: h("div"), sheet: h("setting-sheet"), days: h("calendar-days", { hidden: true }) };
    this.#parts.panel = h("div", { role: "tabpanel", id: "set-panel", "aria-labelledby": "set-tab" }, this.#parts.sheet, this.#parts.days);
    this.append(this.#parts.top, this.#parts.panel);
    this.#parts.sheet.addEventListener("saved", () => this.#load(true));
    this.#parts.days.addEventListener("saved", () => this.#load());
    onLanguage(() => this.#load());
    addEventListener("popstate", () => this.#fromAddress());
    addEventListener("beforeunload", (event) => this.#parts.sheet.dirty && event.preventDefault());
    try {
      this.#clients = await settings.clients();
    } catch (error) {
      this.#error = error;
    }
    await this.#fromAddress();
  }

  get #kind() {
    return KINDS.find((kind) => kind.id === this.#chosen.tab) ?? KINDS[0];
  }

  get #context() {
    const { role, team, clients } = this.#reader;
    const admin = role === "admin";
    return { ...this.#chosen, admin, lead: admin || role === "supervisor", auditor: !team && !clients?.length };
  }

  #fromAddress() {
    const asked = Object.fromEntries(new URLSearchParams(location.search));
    this.#chosen = { tab: asked.tab ?? KINDS[0].id, client: asked.client ?? "", of: asked.of ?? "" };
    return this.#load();
  }

  #choose(values) {
    if (this.#parts.sheet.dirty && !confirm(t("set.leave"))) return this.#draw();
    this.#chosen = { ...this.#chosen, ...values };
    const kept = Object.entries(this.#chosen).filter(([, value]) => value);
    history.pushState(null, "", `?${new URLSearchParams(kept)}`);
    return this.#load();
  }

  async #load(saved = false) {
    const asked = ++this.#asked;
    const kind = this.#kind;
    this.setAttribute("aria-busy", "true");
    try {
      const options = kind.of ? await kind.of(this.#context) : [];
      if (options.length && !options.some((one) => one.value === this.#chosen.of)) this.#chosen.of = options[0].value;
      const setting = await kind.load(this.#context);
      if (asked !== this.#asked) return;
      this.#options = options;
      this.#error = null;
      this.#parts.sheet.show(setting, saved);
      this.#parts.days.hidden = kind.id !== "calendar";
      if (kind.id === "calendar") await this.#parts.days.show(setting.calendar.country, this.#context.admin);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#error = error;
    }
    this.removeAttribute("aria-busy");
    this.#draw();
  }

  #draw() {
    const kind = this.#kind;
    fill(this.#parts.top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.clients"))), this.#tabs(kind),
      h("div", { class: "row set-whose" }, kind.client !== "ignored" && this.#client(), kind.of && this.#of(kind)),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), " ", data(this.#error.members?.detail ?? ""))));
    this.#parts.panel.hidden = Boolean(this.#error);
  }

  #tabs(kind) {
    const step = (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = event.key === "Home" ? 0 : event.key === "End" ? KINDS.length - 1 : by ? (KINDS.indexOf(kind) + by + KINDS.length) % KINDS.length : -1;
      if (at < 0) return;
      event.preventDefault();
      this.#choose({ tab: KINDS[at].id, of: "" }).then?.(() => this.querySelector("#set-tab").focus());
    };
    return h("div", { class: "set-tabs", role: "tablist", "aria-label": t("oversight.clients"), on: { keydown: step } }, KINDS.map((one) =>
      h("button", { type: "button", role: "tab", id: one === kind ? "set-tab" : null, "aria-selected": String(one === kind), "aria-controls": "set-panel", tabindex: one === kind ? 0 : -1, "data-tab": one.id, "data-focus": `tab-${one.id}`,
        on: { click: () => this.#choose({ tab: one.id, of: "" }) } }, t(`set.tab.${one.id}`))));
  }

  #client() {
    const input = h("input", { type: "text", list: "set-clients", value: this.#chosen.client, maxlength: 128, "data-focus": "client", translate: "no", placeholder: t("report.any_client"), autocomplete: "off",
      on: { change: (event) => this.#choose({ client: event.target.value.trim() }) } });
    return h("div", { class: "row" }, field("policy.client", input, "client"), h("datalist", { id: "set-clients" }, this.#clients.map((name) => h("option", { value: name }))));
  }

  #of(kind) {
    const select = h("select", { "data-focus": "of", on: { change: (event) => this.#choose({ of: event.target.value }) } },
      this.#options.map(({ value, text }) => h("option", { value, selected: value === this.#chosen.of }, text)));
    return field(kind.label, select, "of");
  }
}

customElements.define("client-settings", ClientSettings);
const reader = await open();
if (reader) await document.querySelector("client-settings").start(reader);
