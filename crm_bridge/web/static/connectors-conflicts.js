// What a CRM and the desk say differently: each shown with both values; where both sides changed a field, one is chosen.

import { data, h } from "./dom.js";
import { moment } from "./format.js";
import { currentLanguage, t } from "./i18n.js";

/** The table of `found`; `decide(conflict, take)` is called for a choice, `more` for the next page where there is one. */
export function conflictTable(found, decide, more) {
  if (!found.length) return h("p", { class: "muted" }, t("connectors.no_conflicts"));
  const head = ["case", "what", "theirs", "ours", "found", "choice"].map((name) => h("th", { scope: "col" }, t(`connectors.col.${name}`)));
  return [h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("connectors.conflicts") },
    h("table", { class: "crm-conflicts" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, found.map((one) => row(one, decide))))),
    more && h("p", {}, h("button", { type: "button", class: "button button-small", "data-focus": "more-conflicts", on: { click: more } }, t("connectors.more")))];
}

function row(one, decide) {
  const choice = (take) => h("button", { type: "button", class: "button button-small", "data-focus": `${take}-${one.id}`, on: { click: () => decide(one, take) } }, t(`connectors.take.${take}`));
  return h("tr", { "data-conflict": one.id },
    h("th", { scope: "row" }, one.case_id ? h("a", { href: `/cases/${encodeURIComponent(one.case_id)}` }, data(one.case_id)) : data(`#${one.record}`)),
    h("td", {}, data(currentLanguage() === "zh" ? one.what_zh : one.what)), h("td", {}, data(one.theirs ?? "–")), h("td", {}, data(one.ours ?? "–")), h("td", {}, moment(one.found_at)),
    h("td", {}, one.decidable ? h("div", { class: "row" }, choice("theirs"), choice("ours")) : h("span", { class: "muted small" }, t("connectors.mend_there"))));
}
