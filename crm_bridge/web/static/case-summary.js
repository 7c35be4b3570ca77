// The head of a case: who owes, to whom, in which state, and what bears on all of its calls.

import { data, h } from "./dom.js";
import { day } from "./format.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

/** The debtor of a case, or whoever comes first. */
export const debtorOf = (kase) => kase.parties?.find((party) => party.relation === "debtor") ?? kase.parties?.[0];

/** Name and state, the facts in one line, and an open complaint above everything. */
export function summary(kase, reader) {
  const locked = Boolean(kase.disclosure?.locked);
  return [
    h("div", { class: "case-title" }, h("h1", {}, data(debtorOf(kase)?.name || kase.id)), h("span", { class: "tag", "data-state": kase.state }, t(`state.${kase.state}`))),
    kase.complaint?.state === "open" && h("p", { class: "notice notice-bad" }, icon("warning"), h("span", {}, t("case.complaint_open"))),
    h("dl", { class: "case-facts" },
      fact("case.id", data(kase.id, { class: "number" })),
      fact("case.client", data(kase.client)),
      kase.account && !locked && fact("case.account", data(kase.account, { class: "number" })),
      kase.mandate_until && fact("case.mandate_until", h("time", { datetime: kase.mandate_until }, day(kase.mandate_until))),
      kase.debts.length > 0 && !locked && fact("case.debts", kase.debts.map((debt) => data(debt, { class: "number debt" }))),
      kase.collector && kase.collector !== reader && fact("case.collector", data(kase.collector))),
    locked && h("p", { class: "locked", "data-locked": "" }, icon("lock"), h("span", {}, t("case.locked", { debts: kase.debts.length }))),
  ];
}

const fact = (key, value) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value));
