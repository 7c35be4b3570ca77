// The rule packs as a table: which a policy names, and what their rules say, from which source and how sure.

import { data, h } from "./dom.js";
import { day } from "./format.js";
import { currentLanguage, t } from "./i18n.js";

const opened = new Set(); // packs whose rules are unfolded: they stay so when the table is drawn again

const words = (text) => text?.[currentLanguage()] ?? "";

/** The versions listed by `/v1/rule-packs`, one a pack: the one in force today, else the newest. */
export function currentVersions(listed) {
  const packs = new Map();
  for (const version of listed) {
    const known = packs.get(version.id);
    if (!known || version.in_force || !known.in_force) packs.set(version.id, version);
  }
  return [...packs.values()];
}

/** The table. `chosen`: references of the policy; `choose(id, on)` is null where nothing may be changed. */
export function packTable(versions, chosen, choose, redraw) {
  const rows = versions.flatMap((pack) => packRows(pack, chosen, choose, redraw));
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("policy.pack")), h("th", { scope: "col" }, t("policy.in_force")), h("th", { scope: "col" }, t("policy.rules")))),
    h("tbody", {}, rows)));
}

function packRows(pack, chosen, choose, redraw) {
  const reference = chosen.find((one) => one.split("@")[0] === pack.id);
  const always = pack.id === "house";
  const box = h("input", { type: "checkbox", checked: always || Boolean(reference), disabled: always || !choose, "data-pack": pack.id, "data-focus": `pack-${pack.id}`,
    on: { change: (event) => choose(pack.id, event.target.checked) } });
  const unfold = h("button", { type: "button", class: "link", "aria-expanded": String(opened.has(pack.id)), "data-focus": `rules-${pack.id}`,
    on: { click: () => { if (!opened.delete(pack.id)) opened.add(pack.id); redraw(); } } }, t("policy.show_rules", { count: pack.rules.length }));
  const head = h("tr", {},
    h("td", {}, h("label", { class: "check" }, box, h("span", {}, words(pack.title))), data(reference ?? pack.id, { class: "small muted" })),
    h("td", {}, h("span", { class: "pack-title" }, data(pack.reference, { class: "small" }), pack.status !== "on" && h("span", { class: "tag", "data-tone": "warn" }, t(`policy.status.${pack.status}`)), h("span", { class: "small muted" }, dates(pack)))),
    h("td", {}, unfold));
  if (!opened.has(pack.id)) return [head];
  return [head, h("tr", { class: "pack-rules" }, h("td", { colspan: 3 }, h("ul", {}, pack.rules.map(ruleItem))))];
}

function dates(pack) {
  if (!pack.from && !pack.until) return t("policy.always");
  const from = pack.from ? t("policy.from", { day: day(pack.from) }) : "";
  return [from, pack.until ? t("policy.until", { day: day(pack.until) }) : ""].filter(Boolean).join(" ");
}

function ruleItem(rule) {
  return h("li", {}, h("p", {}, words(rule.text)), h("p", { class: "rule-source small muted" },
    data(rule.id), h("span", {}, t(rule.hard ? "policy.hard" : "policy.soft")), data(rule.source),
    h("span", {}, t(`policy.confidence.${rule.confidence}`))), rule.lift && h("p", { class: "small" }, words(rule.lift)));
}
