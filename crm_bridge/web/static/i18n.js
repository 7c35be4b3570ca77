// The page's language: one flat catalogue, shared with the templates, that can change while a call lives.

const catalogues = new Map();
let rules = {}; // the packs' own words for their rules, in both languages
const listeners = new Set();
let language = document.documentElement.dataset.language ?? "en";

/** "zh" or "en". */
export const currentLanguage = () => language;

/** The tag that Intl and `lang` want. */
export const locale = () => (language === "zh" ? "zh-CN" : "en-GB");

/** Fetch the words of the rules, once. */
export async function loadRules() {
  rules = await (await fetch("/static/rules.json")).json();
}

/** What a rule (`pack/name`) says, in the pack's own words, or null for one that no pack ships. */
export const ruleText = (rule) => rules[rule]?.[language] ?? null;

/** Speak in a page that is not ours: `given` is {texts, rules} of the bundle; only our own elements change their language. */
export function speak(code, given) {
  for (const [name, texts] of Object.entries(given?.texts ?? {})) catalogues.set(name, texts);
  rules = given?.rules ?? rules;
  language = catalogues.has(code) ? code : "en";
  for (const listener of listeners) listener();
}

/** Load a language, translate what the server wrote, and tell everyone who draws. */
export async function useLanguage(code) {
  if (!catalogues.has(code)) {
    const response = await fetch(`/static/locales/${code}.json`);
    catalogues.set(code, await response.json());
  }
  language = code;
  document.documentElement.lang = locale();
  document.documentElement.dataset.language = code;
  document.cookie = `ringfence_language=${code}; path=/; max-age=31536000; samesite=lax`;
  translateTree(document);
  for (const listener of listeners) listener();
}

/** Be told after each change of language. */
export function onLanguage(listener) {
  listeners.add(listener);
}

/** Whether the catalogue has this key: for codes that come from outside (problems, rules, windows). */
export const knows = (key) => key in (catalogues.get(language) ?? {});

/** The text of a key with `{placeholders}` filled in. */
export function t(key, values = {}) {
  const text = catalogues.get(language)?.[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text of a key as nodes, so that data inside a sentence keeps an element of its own. */
export function tNodes(key, nodes) {
  return t(key)
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((part) => nodes[part.slice(1, -1)] ?? part);
}

/** Of two texts in a document from the API, the reader's: `reason` in English, `reason_zh` in Chinese. */
export function reasonOf(document_) {
  if (language === "zh" && document_?.reason_zh) return document_.reason_zh;
  return document_?.reason ?? "";
}

function translateTree(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const name of ["aria-label", "placeholder", "title"]) {
    for (const element of root.querySelectorAll(`[data-t-${name}]`)) {
      element.setAttribute(name, t(element.getAttribute(`data-t-${name}`)));
    }
  }
  for (const button of root.querySelectorAll("[data-choose-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.chooseLanguage === language));
  }
}
