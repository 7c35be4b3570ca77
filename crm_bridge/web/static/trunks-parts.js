// The parts of the trunks' page that only show: the list with its health, what a test saw, what would change.

import { data, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { currentLanguage, knows, t } from "./i18n.js";

const TONES = { up: "good", degraded: "warn", down: "bad", unknown: null };
const STATES = { active: "good", draining: "warn", disabled: null };

const percent = (ratio) => (ratio === null ? "–" : `${Math.round(ratio * 100)} %`);

/** Every trunk in one row; `choose(trunk)` opens it. */
export function trunkTable(trunks, choose) {
  const head = ["name", "state", "health", "calls", "asr", "congestion", "carries"].map((key) => h("th", { scope: "col" }, t(`trunks.${key}`)));
  return h("div", { class: "scroll" }, h("table", { class: "trunks" },
    h("caption", { class: "visually-hidden" }, t("oversight.trunks")),
    h("thead", {}, h("tr", {}, head, h("th", {}, h("span", { class: "visually-hidden" }, t("trunks.open"))))),
    h("tbody", {}, trunks.map((trunk) => row(trunk, choose)))));
}

function row(trunk, choose) {
  const where = trunk.setup ? `${trunk.setup.host}:${trunk.setup.port}` : trunk.endpoint;
  return h("tr", { "data-trunk": trunk.name },
    h("th", { scope: "row" }, data(trunk.name), h("p", { class: "muted small" }, data(`${trunk.pbx} · ${where}`))),
    h("td", {}, h("span", { class: "tag", "data-tone": STATES[trunk.state] }, t(`trunks.state.${trunk.state}`))),
    h("td", {}, healthTag(trunk.health)),
    h("td", {}, trunk.capacity ? `${trunk.live_calls} / ${trunk.capacity}` : String(trunk.live_calls)),
    h("td", {}, percent(trunk.health.asr)), h("td", {}, percent(trunk.health.congestion)),
    h("td", {}, carries(trunk)),
    h("td", {}, h("button", { type: "button", class: "button button-small", "data-focus": `open-${trunk.name}`, "aria-label": `${t("trunks.open")} ${trunk.name}`, on: { click: () => choose(trunk) } }, t("trunks.open"))));
}

function carries(trunk) {
  const prefixes = trunk.prefixes.length ? trunk.prefixes.join(", ") : t("trunks.everything");
  return [prefixes, h("p", { class: "muted small" }, t("trunks.rank", { priority: trunk.priority, weight: trunk.weight }))];
}

/** The state in a word, and why it is not well. */
export function healthTag(health) {
  const known = health.reason && knows(`trunks.reason.${health.reason}`) ? t(`trunks.reason.${health.reason}`) : health.reason;
  const trip = health.round_trip_ms !== null && health.state === "up" && t("trunks.round_trip", { ms: health.round_trip_ms });
  return [h("span", { class: "tag", "data-tone": TONES[health.state], "data-health": health.state }, t(`trunks.health.${health.state}`)),
    h("p", { class: "muted small" }, known || trip || "",
      health.since && [" ", h("time", { datetime: health.since, title: exact(health.since) }, t("trunks.since", { when: moment(health.since) }))])];
}

/** What a test saw. */
export function seen(test) {
  const lines = test.contacts.map((contact) => h("li", {}, data(contact.uri), " ", data(contact.status), contact.round_trip_ms !== null && ` ${t("trunks.round_trip", { ms: contact.round_trip_ms })}`));
  if (test.registration) lines.push(h("li", {}, t("trunks.registration"), " ", data(test.registration)));
  return h("div", { class: "seen" },
    h("p", { class: `notice notice-${test.ok ? "good" : "bad"}`, "data-test": test.ok ? "ok" : "failed" }, icon(test.ok ? "check" : "warning"), test.ok ? t("trunks.test_ok") : [t("trunks.test_failed"), " ", data(currentLanguage() === "zh" ? test.why_zh : test.why)]),
    h("ul", { class: "small" }, lines));
}

/** What would change on the telephone system, as a diff. */
export function changes(plan) {
  if (plan.nothing_to_do) return h("p", { class: "muted" }, t("trunks.nothing_to_do"));
  return plan.changes.map((change) => h("figure", { class: "change" }, h("figcaption", { class: "small" }, data(change.where)),
    h("pre", { class: "diff", tabindex: "0", translate: "no", "aria-label": change.where }, change.lines.map((line) =>
      h("span", { "data-sign": line[0] === "+" ? "plus" : line[0] === "-" ? "minus" : null }, `${line}\n`)))));
}
