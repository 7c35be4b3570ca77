// The people of a case and their numbers: each can be called now, or says in a sentence why not and until when.

import { data, h } from "./dom.js";
import { elsewhere, phoneNumber } from "./format.js";
import { icon } from "./icons.js";
import { reasonOf, ruleText, t, tNodes } from "./i18n.js";
import { numberExtras } from "./number-extras.js";
import { untilWhen, whyNot } from "./refusal.js";
import "./reveal-item.js";
import "./week-strip.js";

const opened = new Set(); // numbers whose rules are unfolded: they stay so when the row is drawn again

/** One party with its numbers. `phone`: {can, busy} of the reader; `dial(target)` calls. */
export function partyBlock(party, kase, phone, dial) {
  return h(
    "li",
    { class: "party" },
    h("div", { class: "party-head" },
      h("h3", {}, data(party.name || t("party.nameless"))),
      h("span", { class: "tag", "data-relation": party.relation }, t(`relation.${party.relation}`)),
      placeAndTime(party)),
    party.identity && identityLine(party),
    h("ul", { class: "numbers" }, party.numbers.map((number) => numberRow(number, party, kase, phone, dial))),
    party.numbers.length === 0 && h("p", { class: "muted small" }, t("party.no_numbers")),
  );
}

/** The identity number: as it is, or masked with a way to show it. */
function identityLine(party) {
  const shown = isMasked(party.identity) ? revealItem({ kind: "identity", party_id: party.id }, party.identity, party.name) : data(party.identity, { class: "number" });
  return h("p", { class: "party-identity" }, h("span", { class: "muted" }, t("party.identity")), shown);
}

const isMasked = (text) => text.includes("*");

const revealItem = (what, masked, name) => Object.assign(h("reveal-item"), { item: { what, masked, name } });

/** Where the person is, when clocks there differ from the reader's. */
function placeAndTime(party) {
  const zones = [...new Set((party.locations ?? []).map((one) => one.zone).filter(Boolean))];
  const notes = zones.map((zone) => elsewhere(new Date().toISOString(), zone)).filter(Boolean);
  if (!notes.length) return null;
  return h("p", { class: "party-place muted small" }, icon("clock"), notes.map(({ time, zone }) => t("party.local_time", { time, zone })).join(" · "));
}

function numberRow(number, party, kase, phone, dial) {
  const target = { caseId: kase.id, partyId: party.id, number: number.e164, name: party.name, relation: party.relation };
  const unfold = unfolding(number, target);
  return h(
    "li",
    { class: "number-row", "data-number": number.e164, "data-allowed": String(Boolean(number.allowed_now)) },
    h("div", { class: "number-what" },
      isMasked(number.e164)
        ? revealItem({ kind: "number", party_id: party.id, number: number.e164 }, number.e164, party.name)
        : data(phoneNumber(number.e164), { class: "number number-digits" }),
      h("span", { class: "muted small" }, t(`kind.${number.kind}`)),
      number.status !== "unknown" && !number.mark && h("span", { class: "mark small", "data-status": number.status }, t(`status.${number.status}`)),
      number.do_not_call && h("span", { class: "mark small", "data-status": "invalid" }, t("number.do_not_call")),
      numberExtras(number, party),
      number.allowed_now && left(number.counts ?? []),
      number.allowed_now && unfold?.button),
    number.allowed_now ? (phone.can ? callButton(target, phone, dial) : allowedMark()) : null,
    number.allowed_now ? null : refusalLine(number, party, unfold?.button),
    unfold?.box,
  );
}

const allowedMark = () => h("span", { class: "mark small", "data-status": "valid" }, icon("check"), t("number.allowed"));

function callButton(target, phone, dial) {
  return h(
    "button",
    {
      type: "button", class: "button button-call", "data-focus": `call-${target.partyId}-${target.number}`,
      title: phone.busy ? t("number.on_a_call") : null, "aria-disabled": phone.busy ? "true" : null,
      "aria-label": t("number.call_this", { name: target.name, number: phoneNumber(target.number) }),
      on: { click: () => phone.busy || dial(target) },
    },
    icon("phone"),
    t("number.call"),
  );
}

/** The attempts that the tightest rule leaves. */
function left(counts) {
  const limited = counts.filter((count) => count.limit !== null);
  if (!limited.length) return null;
  const tightest = limited.reduce((one, other) => (remaining(other) < remaining(one) ? other : one));
  const attributes = { class: "mark small", "data-left": remaining(tightest) === 0 ? "none" : remaining(tightest) === 1 ? "last" : "some" };
  return h("span", attributes, t("attempts.left", { left: remaining(tightest), limit: tightest.limit }));
}

const remaining = ({ limit, used }) => Math.max(0, limit - used);

function refusalLine(number, party, button) {
  const words = h("p", {}, whyNot(number), untilWhen(number, party.locations), " ", button);
  return h("div", { class: "why-not" }, icon(number.retry_at ? "clock" : "blocked"), words);
}

/** On demand: the decision in full, and every limit with what is used of it. */
function unfolding(number, target) {
  const counts = number.counts ?? [];
  if (!counts.length && number.allowed_now) return null;
  const key = `${target.caseId} ${target.partyId} ${target.number}`;
  const week = Object.assign(h("week-strip"), { target });
  const box = h("div", { class: "rules", id: `rules ${key}`.replaceAll(" ", "-"), hidden: !opened.has(key) },
    !number.allowed_now && h("p", {}, reasonOf(number), " ", data(number.rule, { class: "muted" })),
    counts.length > 0 && h("ul", { class: "attempts" }, counts.map(attempt)), week);
  if (!box.hidden) week.load();
  const attributes = {
    type: "button", class: "link small", "aria-expanded": String(opened.has(key)), "aria-controls": box.id, "data-focus": box.id,
    "aria-label": t("rules.of", { number: phoneNumber(target.number) }), on: { click: () => toggle() },
  };
  const button = h("button", attributes, t("rules.title"));
  const toggle = () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
    if (box.hidden) return opened.delete(key);
    opened.add(key);
    week.load();
  };
  return { button, box };
}

function attempt(count) {
  const { rule, used, limit, window } = count;
  const b = (value) => h("b", { class: "number" }, String(value));
  return h("li", { "data-left": limit !== null && remaining(count) === 0 ? "none" : "some" },
    h("span", { class: "attempt-rule" }, ruleText(rule) ?? t("attempts.house"), " ", data(rule, { class: "muted" })),
    h("span", { class: "attempt-used" }, windowText(window),
      limit === null ? tNodes("attempts.used_only", { used: b(used) }) : tNodes("attempts.used", { used: b(used), limit: b(limit), left: b(remaining(count)) })),
    limit !== null && h("meter", { min: 0, max: limit, value: used, "aria-hidden": "true" }));
}

function windowText(window) {
  const [, count, unit] = /^([\d.]+) (days|minutes)$/.exec(String(window)) ?? [];
  const text = count ? t(`window.${unit}`, { count }) : { "calendar day": t("window.day"), ever: t("window.ever") }[window];
  return text ? h("span", {}, text) : null;
}
