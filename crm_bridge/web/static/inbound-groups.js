// The groups that calls are routed and transferred to: who belongs to each, and whether they ring together or in turn.

import { explain } from "./api.js";
import { data, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { groups } from "./inbound-api.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";

export class GroupList extends HTMLElement {
  #may = false;
  #items = [];
  #draft = null;
  #known = false;
  #error = null;
  #changed = () => {};

  async start(may, changed) {
    this.#may = may;
    this.#changed = changed;
    this.classList.add("card");
    onLanguage(() => this.#draw());
    await this.#act(async () => {});
  }

  async #act(act) {
    this.#error = null;
    try {
      await act();
      this.#items = (await groups.list()).items;
      this.#changed(this.#items);
    } catch (error) {
      this.#error = error;
    }
    this.#draw();
  }

  #draw() {
    fill(this,
      h("div", { class: "card-head" }, h("h2", {}, t("inbound.groups")), this.#may && h("button", { type: "button", class: "button", "data-focus": "new-group", on: { click: () => this.#edit({ name: "", members: [], ring: "together" }, false) } }, t("inbound.new_group"))),
      this.#error && h("p", { class: "notice notice-bad", role: "alert" }, icon("warning"), explain(this.#error)),
      this.#items.length === 0 ? h("p", { class: "muted" }, t("inbound.no_groups")) : h("ul", { class: "group-list" }, this.#items.map((group) => this.#row(group))),
      this.#draft && this.#form(this.#draft));
  }

  #row(group) {
    return h("li", {}, h("strong", {}, data(group.name)), " ", h("span", { class: "muted small" }, t(`inbound.ring.${group.ring}`)), " ", data(group.members.join(", ")), " ",
      this.#may && h("button", { type: "button", class: "button button-small", "data-focus": `group-${group.name}`, "aria-label": `${t("inbound.edit")} ${group.name}`, on: { click: () => this.#edit(group, true) } }, t("inbound.edit")));
  }

  #edit(group, known) {
    this.#draft = { name: group.name, members: group.members.join(", "), ring: group.ring, reason: "" };
    if (!known) this.#draft.members = "";
    this.#known = known;
    this.#draw();
    this.querySelector(known ? "#group-members" : "#group-name").focus();
  }

  #form(draft) {
    const text = (name, attributes) => h("input", { type: "text", value: draft[name], "data-focus": `group-of-${name}`, ...attributes, on: { input: (event) => { draft[name] = event.target.value; } } });
    const ring = h("select", { "data-focus": "group-ring", on: { change: (event) => { draft.ring = event.target.value; } } }, ["together", "in_turn"].map((one) => h("option", { value: one, selected: one === draft.ring }, t(`inbound.ring.${one}`))));
    return h("form", { class: "form", on: { submit: (event) => { event.preventDefault(); this.#save(); } } },
      h("div", { class: "grid" },
        field("inbound.group", text("name", { required: true, readonly: this.#known, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,63}" }), "group-name"),
        field("inbound.members", text("members", { required: true }), "group-members"),
        field("inbound.ring", ring, "group-ring"), field("inbound.reason", text("reason", {}), "group-reason")),
      h("p", { class: "row" }, h("button", { class: "button button-primary" }, t("inbound.save")),
        h("button", { type: "button", class: "button", "data-focus": "cancel-group", on: { click: () => this.#close() } }, t("inbound.cancel")),
        this.#known && h("button", { type: "button", class: "button button-quiet", on: { click: () => this.#act(async () => { await groups.remove(draft.name, draft.reason); this.#draft = null; }) } }, t("inbound.remove"))));
  }

  #close() {
    this.#draft = null;
    this.#draw();
  }

  async #save() {
    const { name, ring } = this.#draft;
    const body = { members: this.#draft.members.split(/[\s,，]+/).filter(Boolean), ring, reason: this.#draft.reason || null };
    await this.#act(async () => {
      await (this.#known ? groups.save(name, body) : groups.create({ name, ...body }));
      this.#draft = null;
    });
  }
}

customElements.define("group-list", GroupList);
