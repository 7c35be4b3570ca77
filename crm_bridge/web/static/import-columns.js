// The editor of a mapping: for each heading of the file, with what stands below it, what it is and whose.

import { data, fill, h } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { field } from "./oversight.js";

const ON_CASE = ["case_id", "account", "debt", "mandate_until", "collector"];
const ON_PERSON = ["name", "identity", "party_id", "number", "relation", "zone", "region"];
const KINDS = ["mobile", "landline", "work"];
const RELATIONS = ["contact", "guarantor", "spouse", "employer", "unrelated"];
const PEOPLE = 10;
const SAMPLES = 3;
const ENCODINGS = [["utf-8", "UTF-8"], ["gb18030", "GBK · GB18030"], ["big5", "Big5"], ["utf-16", "UTF-16"]];

/** `show(file)` a looked-at file; fires `check` with {mapping, name, keep} and `look` with how to read the file. */
class ImportColumns extends HTMLElement {
  #file = null;
  #mappings = [];
  #draft = null;
  #wrong = "";

  constructor() {
    super();
    onLanguage(() => this.isConnected && this.#draw());
  }

  /** `mappings` are those of the file's client. */
  show(file, mappings) {
    const read = (one) => JSON.stringify([one?.id, one?.preview]);
    this.#mappings = mappings;
    if (read(file) !== read(this.#file)) this.#draft = draftOf(file);
    this.#file = file;
    this.#draw();
  }

  #draw() {
    const preview = this.#file.preview;
    const form = h("form", { class: "form", novalidate: true, on: { submit: (event) => this.#submitted(event) } },
      h("div", { class: "grid" }, this.#kept(), this.#sheet(preview), this.#encoding(preview), this.#headerRow(preview)),
      preview.headings?.length ? this.#table(preview) : h("p", { class: "muted" }, t("import.no_headings")),
      h("details", { class: "more" }, h("summary", {}, t("import.options")), h("div", { class: "grid" }, this.#options())),
      this.#wrong && h("p", { class: "notice notice-bad", role: "alert" }, this.#wrong),
      h("div", { class: "row" },
        h("button", { type: "submit", class: "button button-primary", "data-focus": "check" }, t("import.check")),
        h("label", { class: "check" }, this.#control("checkbox", "keep"), t("import.keep")),
        this.#control("text", "name", { "aria-label": t("import.mapping_name"), placeholder: t("import.mapping_name"), maxlength: 64, class: "name" })));
    fill(this, form);
  }

  // ---- which mapping, how to read

  #kept() {
    if (!this.#mappings.length) return null;
    const options = [h("option", { value: "" }, t("import.suggested")), ...this.#mappings.map((one) => h("option", { value: one.name, selected: one.name === this.#draft.from }, one.name))];
    return field("import.mapping", h("select", { "data-focus": "mapping", translate: "no", on: { change: (event) => this.#take(event.target.value) } }, options), "import-mapping");
  }

  #take(name) {
    const kept = this.#mappings.find((one) => one.name === name);
    this.#draft = kept ? { ...draftOf({ ...this.#file, mapping: kept.mapping }), from: name, name } : draftOf({ ...this.#file, mapping: null });
    this.#draw();
  }

  #sheet({ sheets = [], sheet }) {
    if (sheets.length < 2) return null;
    return field("import.sheet", this.#look("sheet", sheets.map((name) => [name, name]), sheet), "import-sheet");
  }

  #encoding({ kind, encoding }) {
    if (kind !== undefined && kind !== "csv") return null;
    return field("import.encoding", this.#look("encoding", ENCODINGS, encoding === "utf-8-sig" ? "utf-8" : encoding), "import-encoding");
  }

  #headerRow({ header_row: row }) {
    const input = h("input", { type: "number", min: 1, max: 100, value: row ?? 1, "data-focus": "header_row", on: { change: () => this.#again({ header_row: Number(input.value) || null }) } });
    return field("import.header_row", input, "import-header");
  }

  #look(name, choices, chosen) {
    const options = choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
    return h("select", { "data-focus": name, translate: "no", on: { change: (event) => this.#again({ [name]: event.target.value }) } }, options);
  }

  #again(change) {
    Object.assign(this.#draft.read, change);
    this.dispatchEvent(new CustomEvent("look", { detail: { ...this.#draft.read } }));
  }

  // ---- what each column is

  #table({ headings, rows }) {
    const head = ["column", "samples", "field", "person"].map((key) => h("th", { scope: "col" }, t(`import.head.${key}`)));
    const line = (heading, index) => h("tr", { "data-column": heading },
      h("th", { scope: "row" }, data(heading || "–")),
      h("td", { class: "samples small" }, rows.slice(0, SAMPLES).map((row) => h("div", {}, data(row[index] ?? "")))),
      h("td", {}, heading && this.#field(heading)), h("td", {}, heading && this.#person(heading)));
    return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("import.columns") },
      h("table", { class: "columns" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, headings.map(line))));
  }

  #field(heading) {
    const chosen = this.#draft.columns.get(heading);
    const option = (value) => h("option", { value, selected: chosen?.field === value }, t(`import.field.${value}`));
    const select = h("select", { "aria-label": t("import.field_of", { heading }), "data-focus": `field ${heading}`, on: { change: () => this.#map(heading, { field: select.value }) } },
      h("option", { value: "" }, t("import.field.none")),
      h("optgroup", { label: t("import.of_case") }, ON_CASE.map(option)), h("optgroup", { label: t("import.of_person") }, ON_PERSON.map(option)));
    return select;
  }

  #person(heading) {
    const chosen = this.#draft.columns.get(heading);
    if (!chosen || ON_CASE.includes(chosen.field)) return null;
    const people = Array.from({ length: PEOPLE }, (_, index) => h("option", { value: index, selected: chosen.person === index }, index ? t("import.person", { number: index }) : t("relation.debtor")));
    const person = h("select", { "aria-label": t("import.person_of", { heading }), "data-focus": `person ${heading}`, on: { change: () => this.#map(heading, { person: Number(person.value) }) } }, people);
    if (chosen.field !== "number") return person;
    const kinds = KINDS.map((kind) => h("option", { value: kind, selected: (chosen.kind ?? "mobile") === kind }, t(`kind.${kind}`)));
    const kind = h("select", { "aria-label": t("import.kind_of", { heading }), "data-focus": `kind ${heading}`, on: { change: () => this.#map(heading, { kind: kind.value }) } }, kinds);
    return h("div", { class: "pair" }, person, kind);
  }

  #map(heading, change) {
    const known = this.#draft.columns.get(heading) ?? { person: 0 };
    if (change.field === "") this.#draft.columns.delete(heading);
    else this.#draft.columns.set(heading, { ...known, ...change });
    this.#wrong = "";
    this.#draw();
  }

  // ---- what to do with what is odd

  #options() {
    const choice = (name, values) => this.#control("select", name, { "data-focus": name }, values.map((value) => h("option", { value, selected: this.#draft[name] === value }, t(`import.${name}.${value}`))));
    return [
      field("import.rows_of_a_case", choice("rows_of_a_case", ["refuse", "merge"]), "import-rows"),
      field("import.known_cases", choice("known_cases", ["update", "refuse"]), "import-known"),
      field("import.bad_numbers", choice("bad_numbers", ["refuse", "leave_out"]), "import-bad"),
      field("import.date_order", choice("date_order", ["ymd", "dmy", "mdy"]), "import-dates"),
      field("import.person_relation", this.#control("select", "person_relation", {}, RELATIONS.map((value) => h("option", { value, selected: this.#draft.person_relation === value }, t(`relation.${value}`)))), "import-relation"),
      field("import.mandate_until", this.#control("date", "mandate_until"), "import-mandate"),
      field("import.collector", this.#control("text", "collector", { maxlength: 128, autocomplete: "off" }), "import-collector"),
      field("import.zone", this.#control("text", "zone", { maxlength: 64, autocomplete: "off" }), "import-zone"),
    ];
  }

  #control(type, name, attributes = {}, options = null) {
    const note = () => { this.#draft[name] = type === "checkbox" ? control.checked : control.value; };
    const common = { ...attributes, on: { input: note, change: note } };
    const control = options ? h("select", common, options)
      : h("input", { ...common, type, ...(type === "checkbox" ? { checked: this.#draft[name] } : { value: this.#draft[name] ?? "" }) });
    return control;
  }

  #submitted(event) {
    event.preventDefault();
    this.#wrong = [...this.#draft.columns.values()].some((one) => one.field === "case_id") ? "" : t("import.needs_case_id");
    if (this.#wrong) return this.#draw();
    const { name, keep, from } = this.#draft;
    const detail = { mapping: mappingOf(this.#draft, this.#file.mapping), keep, ...(keep ? { name: name.trim() || "default" } : from ? { name: from } : {}) };
    this.dispatchEvent(new CustomEvent("check", { detail }));
  }
}

const OPTIONS = { rows_of_a_case: "refuse", known_cases: "update", bad_numbers: "refuse", date_order: "ymd", person_relation: "contact", mandate_until: "", collector: "", zone: "Asia/Shanghai" };

function draftOf(file) {
  const mapping = file.mapping ?? {};
  const columns = new Map((mapping.columns ?? file.preview.suggested ?? []).map(({ column, ...rest }) => [column, rest]));
  const options = Object.fromEntries(Object.entries(OPTIONS).map(([name, usual]) => [name, mapping[name] ?? (file.mapping ? "" : usual)]));
  const { sheet = null, header_row = null } = file.preview;
  return { columns, ...options, read: { sheet, header_row }, name: file.mapping_name ?? "", from: file.mapping_name ?? "", keep: false };
}

/** The mapping as /v1 takes it; what this editor does not show (words for relations, single people) stays as it was. */
function mappingOf(draft, known) {
  const { columns: _, ...kept } = known ?? {};
  const text = (value) => value || null;
  return {
    ...kept, columns: [...draft.columns].map(([column, one]) => ({ column, ...one })), ...draft.read,
    rows_of_a_case: draft.rows_of_a_case, known_cases: draft.known_cases, bad_numbers: draft.bad_numbers, date_order: draft.date_order,
    person_relation: draft.person_relation, mandate_until: text(draft.mandate_until), collector: text(draft.collector), zone: text(draft.zone),
  };
}

customElements.define("import-columns", ImportColumns);
