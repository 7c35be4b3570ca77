// The parts of a phone system's card: how it is, what is wrong and its mend, what would change, and its phones.

import { data, h } from "./dom.js";
import { exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { knows, t } from "./i18n.js";

const TONES = { error: "bad", warning: "warn", info: null };
const ICONS = { error: "blocked", warning: "warning", info: "check" };

function fact(key, ...value) {
  return h("div", { class: "fact" }, h("dt", {}, t(key)), h("dd", {}, ...value));
}

const state = (good, text) => [h("span", { class: "tag", "data-tone": good === null ? null : good ? "good" : "bad" }, text)];

/** Link, version, clock, spool, gate and trunks, as a list of facts. */
export function facts(pbx) {
  const apart = pbx.clock_seconds_apart;
  const reached = pbx.gate.reached;
  return h("dl", { class: "facts" },
    fact("pbx.link", ...state(pbx.link.state === "up", t(`pbx.link.${pbx.link.state}`)), " ",
      h("time", { class: "muted small", datetime: pbx.link.since, title: exact(pbx.link.since) }, t("pbx.since", { when: moment(pbx.link.since) })),
      pbx.link.state !== "up" && h("p", { class: "small" }, data(pbx.link.reason))),
    fact("pbx.version", pbx.asterisk_version ? data(`Asterisk ${pbx.asterisk_version}`) : t("pbx.unknown"),
      pbx.round_trip_ms !== null && h("p", { class: "muted small" }, t("pbx.round_trip", { ms: pbx.round_trip_ms }))),
    fact("pbx.clock", ...(apart === null ? [t("pbx.unknown")] : state(apart <= 2, t("pbx.apart", { seconds: apart.toFixed(1) })))),
    fact("pbx.spool", ...state(pbx.spool.works, t(pbx.spool.works ? "pbx.spool.works" : "pbx.spool.fails")), " ", data(pbx.spool.pbx, { class: "muted small" }),
      !pbx.spool.works && pbx.spool.problem && h("p", { class: "small" }, data(pbx.spool.problem))),
    fact("pbx.gate", ...state(reached, t(reached === null ? "pbx.gate.untried" : reached ? "pbx.gate.reached" : "pbx.gate.unreached")), " ", data(pbx.gate.address, { class: "muted small" })),
    fact("pbx.trunks", pbx.trunks.length ? data(pbx.trunks.join(", ")) : h("span", { class: "muted" }, t("pbx.trunks.none"))));
}

/** How far a check is; `check` may be null for a moment at the start. */
export function progress(check) {
  const of = check?.of ?? 1;
  const done = check?.done ?? 0;
  return h("div", { class: "progress", role: "status" },
    h("progress", { max: of, value: done, "aria-label": t("pbx.checking") }),
    h("span", { class: "small" }, check ? t("pbx.look", { done: done + 1, of, look: lookName(check.look) }) : t("pbx.checking")));
}

const lookName = (look) => (knows(`pbx.look.${look}`) ? t(`pbx.look.${look}`) : look);

/** What a finished check found, worst first. */
export function findings(check) {
  if (check.failed) return h("p", { class: "notice notice-bad" }, icon("warning"), data(check.failed));
  const when = h("p", { class: "muted small" }, t("pbx.checked_at", { when: moment(check.finished_at) }));
  if (!check.findings.length) return [h("p", { class: "notice notice-good" }, icon("check"), t("pbx.nothing_wrong")), when];
  return [when, h("ul", { class: "rows findings" }, check.findings.map(finding))];
}

function finding(one) {
  const name = knows(`finding.${one.code}`) ? t(`finding.${one.code}`) : one.code;
  return h("li", { "data-code": one.code, "data-severity": one.severity },
    h("div", { class: "line" }, h("span", { class: "tag", "data-tone": TONES[one.severity] }, icon(ICONS[one.severity]), t(`severity.${one.severity}`)),
      h("strong", {}, name), data(one.where, { class: "muted small" })),
    h("p", { class: "small" }, data(one.message)),
    h("p", { class: "small mend" }, h("span", { class: "muted" }, t("pbx.mend"), " "), data(one.mend)));
}

/** What applying would change, as a diff. */
export function changes(plan) {
  if (plan.nothing_to_do) return h("p", { class: "muted" }, t("pbx.nothing_to_do"));
  return plan.changes.map((change) =>
    h("figure", { class: "change" }, h("figcaption", { class: "small" }, data(change.where)),
      h("pre", { class: "diff", tabindex: "0", translate: "no", "aria-label": change.where }, change.lines.map((line) =>
        h("span", { "data-sign": line[0] === "+" ? "plus" : line[0] === "-" ? "minus" : null }, `${line}\n`)))));
}

/** Phones or trunks with a box each that is not ours yet; `chosen` is a Set, `choose(name, on)` hears of changes. */
export function endpointTable(kind, endpoints, chosen, choose) {
  const keys = ["pbx.move", kind === "phones" ? "pbx.phone" : "pbx.trunk", "pbx.context", "pbx.phone_state"];
  return h("div", { class: "scroll" }, h("table", { class: "phones" },
    h("caption", { class: "visually-hidden" }, t(kind === "phones" ? "pbx.phones" : "pbx.inbound")),
    h("thead", {}, h("tr", {}, keys.map((key) => h("th", { scope: "col" }, t(key))))),
    h("tbody", {}, endpoints.map((one) => endpointRow(kind, one, chosen, choose)))));
}

function endpointRow(kind, one, chosen, choose) {
  const box = h("input", { type: "checkbox", [kind === "phones" ? "data-phone" : "data-trunk"]: one.name, "data-focus": `${kind}-${one.name}`, checked: chosen.has(one.name), "aria-label": t("pbx.move_phone", { phone: one.name }),
    on: { change: (event) => choose(one.name, event.target.checked) } });
  const known = knows(`pbx.device.${one.state}`) ? t(`pbx.device.${one.state}`) : one.state;
  return h("tr", {}, h("td", {}, one.ours ? "" : box), h("td", {}, data(one.name)),
    h("td", {}, one.ours ? h("span", { class: "tag", "data-tone": "good" }, t(kind === "phones" ? "pbx.ours" : "pbx.inbound_ours")) : data(one.context)), h("td", {}, known));
}
