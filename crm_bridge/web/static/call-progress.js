// The two legs of a call, one under the other, in words and colour.

import { agentLeg, customerLeg } from "./call-model.js";
import { data, h } from "./dom.js";
import { phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

const TONES = {
  waiting: "idle", undialled: "idle", ringing: "busy", dialling: "busy", answered: "good", talking: "good", held: "warn",
  over: "idle", unanswered: "idle", unreached: "idle", busy: "warn", denied: "bad", unknown: "warn",
};

/** A list of two legs. */
export function progress(call, extension) {
  const agent = agentLeg(call);
  const customer = customerLeg(call);
  return h(
    "ol",
    { class: "legs", "aria-label": t("call.legs") },
    leg("desk_phone", "agent", agent, [t("leg.agent"), extension && data(extension, { class: "leg-detail number" })]),
    leg("person", "customer", customer, [t("leg.customer"), data(phoneNumber(call.number), { class: "leg-detail number" })]),
  );
}

function leg(drawing, side, state, label) {
  return h(
    "li",
    { class: "leg", "data-leg": side, "data-state": state, "data-tone": TONES[state] ?? "idle" },
    h("span", { class: "leg-icon" }, icon(drawing)),
    h("span", { class: "leg-label" }, label),
    h("span", { class: "leg-state" }, t(`leg.${side}.${state}`)),
  );
}
