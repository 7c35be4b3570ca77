// What can be done with a complaint now: act on a step, close with a ruling, instruct, undo. Each with words of why.

import { explain } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { knows, t } from "./i18n.js";
import { field } from "./oversight.js";

const named = (stage) => (knows(`complaint.stage.${stage}`) ? t(`complaint.stage.${stage}`) : stage);

/** The forms for this reader; `decide(verb, body)` sends one and rejects when it was refused. */
export function complaintForms(item, reader, decide) {
  const decides = ["supervisor", "admin"].includes(reader?.role);
  const acts = decides || reader?.role === "collector";
  const forms = [];
  if (item.state === "open" && acts) forms.push(actForm(item, reader, decide));
  if (item.state === "open" && decides) forms.push(closeForm(decide));
  if (item.state === "closed" && decides && !item.instructed) forms.push(instructForm(item, decide));
  const undoable = item.state === "closed" || item.trail.some((line) => line.what === "acted" && !line.undone_at);
  if (decides && undoable) forms.push(undoForm(decide));
  return [h("h3", {}, t("complaint.dialog.do")), ...forms];
}

/** A form that opens by its title; `read` gives the body, or null when a text is missing. */
function form(name, title, controls, submit, read, decide, opened = false) {
  const problem = h("p", { class: "field-error", role: "alert" });
  const button = h("button", { type: "submit", class: "button button-primary button-small" }, submit);
  const element = h("form", { class: "decide" }, controls, problem, button);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = read();
    problem.textContent = body ? "" : t("complaint.needs_text");
    if (!body) return element.querySelector("textarea, input")?.focus();
    button.disabled = true;
    try {
      await decide(name, body);
    } catch (error) {
      problem.replaceChildren(icon("warning"), " ", explain(error), error.members?.errors?.[0] ? ` ${error.members.errors[0].message}` : "");
    }
    button.disabled = false;
  });
  return h("details", { "data-form": name, open: opened }, h("summary", { "data-focus": `form-${name}` }, title), element);
}

function actForm(item, reader, decide) {
  const mine = item.steps.filter((step) => reader.role !== "collector" || step.role === "collector");
  const done = new Set(item.trail.filter((line) => line.what === "acted" && !line.undone_at).map((line) => line.step));
  const options = mine.filter((step) => !done.has(step.name)).map((step) => h("option", { value: step.name, selected: step.name === item.step }, named(step.name)));
  const step = h("select", {}, options, h("option", { value: "note" }, t("complaint.act.note")));
  const text = h("textarea", { maxlength: 10_000, rows: 3 });
  const controls = [field("complaint.act.step", step, "act-step"), field("complaint.act.text", text, "act-text")];
  return form("act", t("complaint.act.title"), controls, t("complaint.act.submit"), () => text.value.trim() && { step: step.value, text: text.value.trim() }, decide, true);
}

function closeForm(decide) {
  const text = h("textarea", { maxlength: 10_000, rows: 3 });
  const justified = h("select", {}, [["false", "complaint.close.no"], ["true", "complaint.close.yes"], ["", "complaint.close.open"]].map(([value, key]) => h("option", { value }, t(key))));
  const controls = [field("complaint.close.justified", justified, "close-justified"), field("complaint.close.ruling", text, "close-ruling")];
  const read = () => text.value.trim() && { ruling: text.value.trim(), justified: justified.value === "" ? null : justified.value === "true" };
  return form("close", t("complaint.close.title"), controls, t("complaint.close.submit"), read, decide);
}

function instructForm(item, decide) {
  const resume = h("select", {}, h("option", { value: "true" }, t("complaint.instruct.resume")), h("option", { value: "" }, t("complaint.instruct.stay")));
  const other = h("input", { maxlength: 128, autocomplete: "off", spellcheck: "false" });
  const reason = h("input", { maxlength: 2_000, autocomplete: "off" });
  const controls = [field("complaint.instruct.title", resume, "instruct-resume"), field("complaint.instruct.assign", other, "instruct-assign"), field("complaint.undo.reason", reason, "instruct-reason")];
  const read = () => ({ resume: resume.value === "true", assign_to: other.value.trim() || null, reason: reason.value.trim() });
  return form("instruct", t("complaint.instruct.title"), controls, t("complaint.instruct.submit"), read, decide, !item.instructed);
}

function undoForm(decide) {
  const reason = h("input", { maxlength: 2_000, autocomplete: "off" });
  const read = () => reason.value.trim() && { reason: reason.value.trim() };
  return form("undo", t("complaint.undo.title"), [field("complaint.undo.reason", reason, "undo-reason")], t("complaint.undo.submit"), read, decide);
}
