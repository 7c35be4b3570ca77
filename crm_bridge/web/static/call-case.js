// Whose call it was: a number typed on the phone that several cases hold belongs to none of them until somebody says so.

import { calls, explain } from "./api.js";
import { data, h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

/** The cases to choose from, or nothing for a call that has its case. `chosen(call)` gets the call as it is then, or an error's words. */
export function caseChoice(call, chosen, failed) {
  const held = [...new Set((call.candidates ?? []).map((one) => one.case_id))];
  if (call.case_id || held.length < 2 || !call.connected_at && call.end_reason === "denied_at_dial") return null;
  const choose = async (caseId) => {
    try {
      chosen(await calls.assign(call.id, caseId));
    } catch (error) {
      failed(explain(error));
    }
  };
  return h(
    "div",
    { class: "notice notice-warn", "data-choice": "case", role: "group", "aria-label": t("call.which_case") },
    icon("warning"),
    h("div", {},
      h("p", {}, t("call.which_case")),
      held.map((caseId) => h("button", { type: "button", class: "button button-small", "data-focus": `case-${caseId}`, on: { click: () => choose(caseId) } }, data(caseId)))),
  );
}
