// Trunks: how each does, what was seen when it was tried, setting one up with what would change, draining and removing.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./i18n.js";
import { field, open } from "./oversight.js";
import { trunks } from "./trunks-api.js";
import { bodyOf, draftOf, trunkForm } from "./trunks-form.js";
import { changes, healthTag, seen, trunkTable } from "./trunks-parts.js";
import "./trunks-pools.js";

const REFRESH = 5_000; // ms

class TrunksPage extends HTMLElement {
  #may = false;
  #trunks = null;
  #open = null; // the name of the trunk whose panel is shown
  #draft = null;
  #plan = null;
  #test = null;
  #reason = "";
  #working = null;
  #error = null;
  #said = null;
  #parts = { top: h("div"), list: h("section", { class: "card" }), panel: h("section", { class: "card" }), form: h("section", { class: "card" }) };

  async start(reader) {
    this.#may = reader.role === "admin";
    const pools = document.createElement("caller-id-pools");
    this.append(...Object.values(this.#parts), pools);
    onLanguage(() => this.#draw());
    await this.#load();
    await pools.start(this.#may);
    setInterval(() => this.#refresh(), REFRESH);
  }

  get #trunk() {
    return this.#trunks?.find((one) => one.name === this.#open) ?? null;
  }

  async #load() {
    await this.#try(null, async () => {
      this.#trunks = (await trunks.list()).items;
    });
  }

  async #refresh() {
    if (this.#working) return;
    const now = await trunks.list().catch(() => null);
    if (!now || this.#working) return;
    this.#trunks = now.items;
    this.#drawList();
    this.#drawFacts();
  }

  #draw() {
    fill(this.#parts.top, h("header", { class: "sheet-head" }, h("h1", {}, t("oversight.trunks")), this.#may && this.#button("new-trunk", "trunks.new", () => this.#edit(null), "button-primary")),
      h("p", { class: "muted" }, t("trunks.about")),
      this.#error && h("div", { class: "notice notice-bad", role: "alert" }, icon("warning"), h("span", {}, explain(this.#error), this.#told(this.#error))),
      this.#said && h("p", { class: "notice notice-good", role: "status" }, icon("check"), this.#said()));
    this.#drawList();
    this.#drawPanel();
    this.#drawForm();
  }

  /** What the service says beyond the general sentence: what was seen, which field is wrong. */
  #told(error) {
    const detail = error.members?.reason ? null : error.members?.detail;
    return detail && detail !== explain(error) && [" ", data(detail)];
  }

  #button(name, key, act, kind = "") {
    const off = this.#working !== null;
    return h("button", { type: "button", class: `button ${kind}`, "data-act": name, "data-focus": name, "aria-disabled": String(off), on: { click: () => !off && act() } }, t(key));
  }

  #drawList() {
    const none = this.#trunks?.length === 0;
    fill(this.#parts.list, h("div", { class: "inset" }, h("h2", {}, t("trunks.list"))),
      none ? h("p", { class: "muted inset" }, t("trunks.none")) : this.#trunks && trunkTable(this.#trunks, (trunk) => this.#choose(trunk)));
  }

  #choose(trunk) {
    this.#open = trunk.name;
    this.#draft = this.#plan = this.#test = this.#error = this.#said = null;
    this.#reason = "";
    this.#draw();
    this.#parts.panel.querySelector("h2").focus();
  }

  // ---- one trunk

  #drawPanel() {
    const trunk = this.#trunk;
    this.#parts.panel.hidden = !trunk;
    if (!trunk) return;
    const reason = h("input", { type: "text", maxlength: 2000, value: this.#reason, autocomplete: "off", "data-focus": "act-reason", on: { input: (event) => { this.#reason = event.target.value; event.target.removeAttribute("aria-invalid"); } } });
    const active = trunk.state === "active";
    fill(this.#parts.panel, h("div", { class: "inset" }, h("h2", { tabindex: "-1" }, data(trunk.name)), h("div", { class: "facts-now" }),
      this.#may && h("p", { class: "row" }, this.#button("test", "trunks.test", () => this.#tryOut()), this.#button("edit", "trunks.edit", () => this.#edit(trunk))),
      h("div", { role: "status" }, this.#working === "test" ? h("p", {}, t("trunks.testing")) : this.#test && seen(this.#test)),
      this.#may && h("div", { class: "form" }, field("trunks.reason", reason, "act-reason"),
        h("p", { class: "row" }, active && this.#button("drain", "trunks.drain", () => this.#act("drain")), active && this.#button("disable", "trunks.disable", () => this.#act("disable")),
          !active && this.#button("enable", "trunks.enable", () => this.#act("enable")), this.#button("remove", "trunks.remove", () => this.#act("remove"), "button-quiet")))));
    this.#drawFacts();
  }

  #drawFacts() {
    const trunk = this.#trunk;
    const place = this.#parts.panel.querySelector(".facts-now");
    if (!trunk || !place) return;
    const { health } = trunk;
    const fact = (key, ...value) => h("div", { class: "fact" }, h("dt", {}, t(key)), h("dd", {}, ...value));
    fill(place, h("dl", { class: "facts" },
      fact("trunks.health", ...healthTag(health).flat()), fact("trunks.contact", health.contact ? data(health.contact) : "–"), fact("trunks.registration", health.registration ? data(health.registration) : "–"),
      fact("trunks.window", t("trunks.window_counts", { tried: health.tried, answered: health.answered, failed: health.failed })),
      fact("trunks.caller_ids", trunk.caller_ids.length ? data(trunk.caller_ids.join(", ")) : "–"),
      fact("trunks.hours", trunk.hours ? data(`${trunk.hours.map((band) => `${band.from}–${band.to}`).join(", ")} ${trunk.zone}`) : t("trunks.always"))));
  }

  async #tryOut() {
    this.#test = null;
    await this.#try("test", async () => {
      this.#test = await trunks.test(this.#open);
      this.#trunks = (await trunks.list()).items;
    });
  }

  async #act(what) {
    const reason = this.#reason.trim();
    if (!reason) {
      const input = this.querySelector("#act-reason");
      input.setAttribute("aria-invalid", "true");
      return input.focus();
    }
    const name = this.#open;
    await this.#try(what, async () => {
      if (what === "remove") await trunks.remove(name, reason);
      else await trunks.act(name, what, reason);
      this.#reason = "";
      if (what === "remove") this.#open = null;
      this.#trunks = (await trunks.list()).items;
      this.#said = () => t(`trunks.said.${what}`, { name });
    });
  }

  // ---- setting up

  #edit(trunk) {
    this.#draft = draftOf(trunk);
    this.#open = trunk?.name ?? null;
    this.#plan = this.#error = this.#said = this.#test = null;
    this.#draw();
    this.querySelector(trunk ? "#trunk-priority" : "#trunk-name").focus();
  }

  #drawForm() {
    this.#parts.form.hidden = !this.#draft;
    if (!this.#draft) return;
    const trunk = this.#trunk;
    const form = trunkForm(this.#draft, trunk, () => this.#drawForm(), () => this.#outdated());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#working) this.#save();
    });
    form.append(h("div", { class: "planned", role: "status" }, this.#planned()),
      h("p", { class: "row" }, h("button", { class: "button button-primary", "data-focus": "save-trunk", "data-act": "save", "aria-disabled": String(this.#working !== null) }, t("trunks.save")),
        this.#button("plan", "trunks.show_plan", () => form.reportValidity() && this.#showPlan()), this.#button("cancel", "trunks.cancel", () => this.#close())));
    fill(this.#parts.form, h("div", { class: "inset" }, h("h2", {}, trunk ? [t("trunks.edit"), " ", data(trunk.name)] : t("trunks.new")), form));
  }

  #planned() {
    if (this.#working === "save") return h("p", {}, t("trunks.saving"));
    return this.#plan && changes(this.#plan);
  }

  #outdated() {
    if (!this.#plan) return;
    this.#plan = null;
    fill(this.#parts.form.querySelector(".planned"));
  }

  #showPlan() {
    return this.#try("plan", async () => {
      this.#plan = await trunks.plan(this.#draft.name, bodyOf(this.#draft), Boolean(this.#trunk));
    });
  }

  async #save() {
    const name = this.#draft.name.trim();
    await this.#try("save", async () => {
      const saved = await trunks.save(name, bodyOf(this.#draft), Boolean(this.#trunk));
      this.#draft = this.#plan = null;
      this.#open = saved.name;
      this.#test = saved.test;
      this.#trunks = (await trunks.list()).items;
      this.#said = () => t("trunks.said.saved", { name });
    });
    if (!this.#draft) this.#parts.panel.querySelector("h2")?.focus();
  }

  #close() {
    this.#draft = this.#plan = null;
    this.#draw();
    this.querySelector('[data-focus="new-trunk"]')?.focus();
  }

  async #try(name, act) {
    this.#working = name;
    this.#error = this.#said = null;
    if (name) this.#draw();
    try {
      await act();
    } catch (error) {
      this.#error = error;
    }
    this.#working = null;
    this.#draw();
  }
}

customElements.define("trunks-page", TrunksPage);
const reader = await open();
if (reader) await document.querySelector("trunks-page").start(reader);
