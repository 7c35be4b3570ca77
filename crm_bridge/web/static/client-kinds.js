// The settings of a client, one description each: what may be chosen, how it is loaded, saved and previewed.

import { data, h } from "./dom.js";
import { day, exact, moment } from "./format.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";
import { settings } from "./client-settings-api.js";

const ASKED = ["note", "promise", "amount", "call_back", "outcome"];
const EFFECTS = ["wrong_number", "number_valid", "not_in_service", "refused", "cease", "attorney", "deceased", "minor", "do_not_call", "dispute", "fraud_statement"];
const OUTCOMES = ["conversation", "voicemail", "no_answer", "busy", "not_in_service", "rejected", "dropped"];
const SEVERITIES = ["general", "serious", "major"];
const ROLES = ["collector", "qa", "supervisor", "manager", "company"];
const UNITS = ["minutes", "working_minutes", "working_days", "days"];
const REPORTS = ["complaints-weekly", "quality-monthly", "rating-half-yearly"];
const NEW = "+";

const among = (values, text) => ({ values: () => values, text });
const UNIT = { key: "unit", kind: "select", ...among(UNITS, (unit) => t(`set.unit.${unit}`)) };
const WITHIN = { key: "within", kind: "number", min: 0, max: 527040, step: 1, required: true };
const WARN = { key: "warn_minutes", kind: "number", min: 0, max: 527040, step: 1, required: true };
const role = (name) => t(`clock.owner.${name}`);
const length = (item) => `${item.within ?? ""} ${t(`set.unit.${item.unit}`)}`;
const info = (...words) => h("p", { class: "notice notice-info" }, icon("note"), h("span", {}, ...words));
const pick = (from, names) => Object.fromEntries(names.map((name) => [name, structuredClone(from[name] ?? null)]));
const whose = (client) => client || null;
const asList = (items) => () => h("ul", { class: "set-found" }, items);

// ---- action codes (S38), required fields (S37)

function codeFields(draft) {
  const asked = [...ASKED, ...draft.fields.map((one) => one.name).filter(Boolean)];
  const askedWord = (name) => (ASKED.includes(name) ? t(`set.asked.${name}`) : name);
  return [
    { key: "codes", kind: "list", title: (one) => one.code, summary: (one) => [`${one.label?.zh ?? ""} / ${one.label?.en ?? ""}`, one.requires?.length ? t("set.requires", { what: one.requires.map(askedWord).join(", ") }) : "", one.effects?.length ? t("set.has_effects") : ""].filter(Boolean).join(" · "),
      fresh: () => ({ code: "", label: { zh: "", en: "" }, outcome: null, requires: [], asks: [], effects: [] }),
      fields: [
        { key: "code", required: true, maxlength: 32, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,31}" },
        { key: "outcome", kind: "select", values: () => [null, ...OUTCOMES], text: (name) => (name ? t(`outcome.${name}`) : t("set.no_outcome")) },
        { key: "label", kind: "pair", wide: true },
        { key: "requires", kind: "words", values: () => asked, text: askedWord },
        { key: "asks", kind: "words", values: () => asked, text: askedWord },
        { key: "effects", kind: "words", ...among(EFFECTS, (name) => t(`disposition.effect.${name}`)) },
      ] },
    { key: "fields", kind: "list", title: (one) => one.name, summary: (one) => `${one.label?.zh ?? ""} / ${one.label?.en ?? ""} · ${t(`set.kind.${one.kind}`)}`,
      fresh: () => ({ name: "", label: { zh: "", en: "" }, kind: "text", choices: [] }),
      fields: [
        { key: "name", required: true, maxlength: 32, pattern: "[a-z][a-z0-9_]{0,31}", label: "set.field.field_name" },
        { key: "kind", kind: "select", redraws: true, ...among(["text", "choice", "date", "amount"], (name) => t(`set.kind.${name}`)) },
        { key: "label", kind: "pair", wide: true },
        { key: "choices", kind: "names", wide: true, when: (one) => one.kind === "choice", hint: "set.by_comma" },
      ] },
  ];
}

const codes = {
  id: "codes",
  client: "needed",
  async load({ client, admin }) {
    const [document_, own] = await Promise.all([settings.codes(client), settings.ownCodes()]);
    const has = own.includes(client);
    return {
      document: document_, fields: codeFields, mayChange: admin && Boolean(client), why: client ? undefined : "set.choose_client",
      note: () => (has ? null : info(t(client ? "set.codes.default" : "set.codes.shipped"))),
      save: (draft, reason) => settings.saveCodes(client, { ...draft, fields: draft.fields.map((one) => (one.kind === "choice" ? one : { ...one, choices: [] })), reason }),
      drop: has && admin ? (reason) => settings.dropCodes(client, reason) : null,
    };
  },
};

// ---- the client's own columns

const columns = {
  id: "columns",
  client: "needed",
  async load({ client, lead }) {
    const empty = { columns: [], encoding: "utf-8", fields: [] };
    const [found, own] = client ? await Promise.all([settings.template(client), settings.codes(client)]) : [empty, empty];
    const names = [...found.fields.map((one) => one.field), ...own.fields.map((one) => `fields.${one.name}`)];
    const words = new Map([...found.fields.map((one) => [one.field, `${one.zh} / ${one.en}`]), ...own.fields.map((one) => [`fields.${one.name}`, `${one.label.zh} / ${one.label.en}`])]);
    return {
      document: pick(found, ["columns", "encoding"]), mayChange: lead && Boolean(client), why: client ? undefined : "set.choose_client",
      fields: () => [
        { key: "encoding", kind: "select", ...among(["utf-8", "gb18030"], (name) => t(`set.encoding.${name}`)) },
        { key: "columns", kind: "list", title: (one) => one.title || words.get(one.field) || one.field, summary: (one) => one.field, fresh: () => ({ field: "case_id", title: "" }),
          fields: [{ key: "field", kind: "select", values: () => names, text: (name) => words.get(name) ?? name }, { key: "title", maxlength: 128, hint: "set.usual_title" }] },
      ],
      save: (draft, reason) => settings.saveTemplate(client, { ...draft, reason }),
      drop: client && lead ? (reason) => settings.dropTemplate(client, reason) : null,
    };
  },
};

// ---- complaint ladders (S60-S66)

const STEP = [
  { key: "name", required: true, maxlength: 32, pattern: "[a-z][a-z0-9_\\-]{0,31}", label: "set.field.step_name" },
  { key: "role", kind: "select", ...among(ROLES, role) }, { key: "people", kind: "names", hint: "set.people_hint" }, { ...WITHIN, min: 1 }, UNIT, WARN,
];

const ladders = {
  id: "ladders",
  of: () => SEVERITIES.map((value) => ({ value, text: t(`complaint.severity.${value}`) })),
  label: "complaint.report.severity",
  async load({ client, of, admin }) {
    const all = (await settings.ladders()).filter((one) => one.severity === of);
    const own = all.find((one) => one.client === whose(client));
    const { ladder, shipped } = own ?? all.find((one) => one.client === null);
    return {
      document: ladder, mayChange: admin,
      note: () => [info(t("set.ladder.hint")), client && !own ? info(t("set.all_shown")) : shipped ? info(t("set.as_shipped")) : null].filter(Boolean),
      fields: () => [
        { key: "answer", kind: "group", fields: [{ ...WITHIN, min: 1 }, UNIT, WARN] },
        { key: "repeat_minutes", kind: "number", min: 5, max: 527040, step: 1, required: true, hint: "set.repeat_hint" },
        { key: "steps", kind: "list", title: (one) => one.name, summary: (one) => [role(one.role), length(one), (one.people ?? []).join(", ")].filter(Boolean).join(" · "), fresh: () => ({ name: "", role: "manager", people: [], within: 60, unit: "minutes", warn_minutes: 10 }), fields: STEP },
      ],
      save: (draft, reason) => settings.saveLadder(of, { ...draft, client: whose(client), reason }),
      preview: async (draft) => {
        const start = new Date().toISOString();
        const parts = [...draft.steps, { ...draft.answer, name: "answer" }];
        const found = await Promise.all(parts.map(({ within, unit }) => settings.due({ client, start, within, unit })));
        const known = (name) => (["collector", "supervisor", "manager", "company", "answer"].includes(name) ? t(`complaint.stage.${name}`) : name);
        return asListOf(parts.map((one, index) => [() => known(one.name), found[index].due_at]), "set.ladder.preview");
      },
    };
  },
};

const asListOf = (pairs, title) => () => h("div", {}, h("p", {}, t(title)), asList(pairs.map(([name, at]) => h("li", {}, data(name()), ": ", h("time", { datetime: at, title: exact(at) }, moment(at)))))());

// ---- deadline rules

const rules = {
  id: "rules",
  label: "deadlines.filter.kind",
  async of() {
    const kinds = (await settings.rules()).filter((one) => one.client === null).map((one) => one.kind);
    return kinds.map((value) => ({ value, text: t(`clock.${value}`) }));
  },
  async load({ client, of, admin }) {
    const all = (await settings.rules()).filter((one) => one.kind === of);
    const own = all.find((one) => one.client === whose(client));
    const { rule, shipped } = own ?? all.find((one) => one.client === null);
    return {
      document: rule, mayChange: admin,
      note: () => [info(t("set.rule.hint")), of === "cadence" && info(t("set.rule.cadence")), client && !own ? info(t("set.all_shown")) : shipped ? info(t("set.as_shipped")) : null].filter(Boolean),
      fields: () => [
        WITHIN, UNIT, WARN, { key: "owner", kind: "select", ...among(ROLES, role) }, { key: "every_minutes", kind: "number", min: 1, max: 527040, step: 1, required: true },
        { key: "escalate", kind: "words", ...among(ROLES, role) }, { key: "mail", kind: "check" }, { key: "enabled", kind: "check" },
      ],
      save: (draft, reason) => settings.saveRule(of, { ...draft, client: whose(client), reason }),
      preview: async ({ within, unit }) => {
        const { due_at: at } = await settings.due({ client, start: new Date().toISOString(), within, unit });
        return asListOf([[() => t(`clock.${of}`), at]], "set.rule.preview");
      },
    };
  },
};

// ---- opening hours

const calendar = {
  id: "calendar",
  async load({ client, admin }) {
    const found = await settings.calendar(client);
    return {
      calendar: found, document: pick(found, ["country", "zone", "opens", "closes", "weekdays"]), mayChange: admin,
      note: () => found.known_until && h("p", { class: `notice ${found.runs_out ? "notice-warn" : "notice-info"}` }, icon(found.runs_out ? "warning" : "note"), t(found.runs_out ? "deadlines.calendar_ends" : "set.known_until", { day: day(found.known_until) })),
      fields: () => [
        { key: "opens", required: true, pattern: "([01][0-9]|2[0-3]):[0-5][0-9]", maxlength: 5 }, { key: "closes", required: true, pattern: "([01][0-9]|2[0-3]):[0-5][0-9]|24:00", maxlength: 5 },
        { key: "zone", required: true, maxlength: 64 }, { key: "country", required: true, pattern: "[A-Z]{2}(-[A-Z0-9]{1,3})?", maxlength: 6 }, { key: "weekdays", kind: "days" },
      ],
      save: (draft, reason) => settings.saveCalendar({ ...draft, client: whose(client), reason }),
    };
  },
};

// ---- scoring forms

const QUESTION = [
  { key: "id", required: true, pattern: "[a-z0-9_\\-]{1,32}", maxlength: 32 }, { key: "weight", kind: "number", min: 0.1, max: 1000, step: "any", required: true },
  { key: "points", kind: "number", min: 1, max: 100, step: 1, required: true }, { key: "critical", kind: "check" }, { key: "text", kind: "pair", wide: true, maxlength: 500 },
];

const forms = {
  id: "forms",
  client: "ignored",
  label: "set.form",
  async of({ auditor }) {
    const known = (await settings.forms()).map((one) => ({ value: one.id, text: one.active ? one.name : t("set.form.off", { name: one.name }) }));
    return auditor ? [...known, { value: NEW, text: t("set.form.new") }] : known;
  },
  async load({ of, auditor }) {
    const fresh = { id: "", name: "", active: true, questions: [] };
    const found = of === NEW ? fresh : (await settings.forms()).find((one) => one.id === of);
    const head = of === NEW ? [{ key: "id", required: true, pattern: "[a-z0-9_\\-]{1,64}", maxlength: 64 }] : [];
    return {
      document: pick(found, [...(of === NEW ? ["id"] : []), "name", "active", "questions"]), mayChange: auditor,
      note: () => found.version && info(t("set.form.version", { version: found.version })),
      fields: () => [...head, { key: "name", required: true, maxlength: 128 }, { key: "active", kind: "check" },
        { key: "questions", kind: "list", title: (one) => one.id, summary: (one) => [one.text?.zh, one.text?.en].filter(Boolean).join(" / "), fresh: () => ({ id: "", text: { zh: "", en: "" }, weight: 1, points: 5, critical: false }), fields: QUESTION }],
      save: async (draft, reason) => (of === NEW ? (await settings.newForm({ ...draft, reason })).id : (await settings.saveForm(of, { ...draft, reason })).id),
    };
  },
};

// ---- to whom reports are mailed

const mailings = {
  id: "mailings",
  label: "report.choose",
  of: () => REPORTS.map((value) => ({ value, text: t(`period.name.${value}`) })),
  async load({ client, of, admin }) {
    const found = (await settings.mailings()).find((one) => one.report === of && one.client === whose(client));
    const none = { people: [], addresses: [], language: "zh", enabled: true };
    return {
      document: pick(found ?? none, ["people", "addresses", "language", "enabled"]), mayChange: admin,
      note: () => info(t(!client && (found?.usual ?? true) ? "set.mailing.company" : client && !found ? "set.mailing.nobody" : "set.mailing.hint")),
      fields: () => [{ key: "people", kind: "names", wide: true, hint: "set.mailing.people" }, { key: "addresses", kind: "names", wide: true, hint: "set.mailing.addresses" },
        { key: "language", kind: "select", ...among(["zh", "en"], (name) => t(`set.in.${name}`)) }, { key: "enabled", kind: "check", label: "set.mailing.enabled" }],
      save: (draft, reason) => settings.saveMailing(of, { ...draft, client: whose(client), reason }),
    };
  },
};

export const KINDS = [codes, columns, ladders, rules, calendar, forms, mailings];
