// What the pages of those who oversee have in common: who is here, the language, logging out, and what goes wrong.

import { explain, session } from "./api.js";
import { fill, h } from "./dom.js";
import { showPages } from "./navigation.js";
import { icon } from "./icons.js";
import { currentLanguage, onLanguage, t, useLanguage } from "./i18n.js";

const banners = new Map();

/** Load the words and see who is here; null, and on the way to the log-in, when nobody is. */
export async function open() {
  await useLanguage(currentLanguage());
  let reader;
  try {
    reader = await session.get();
  } catch (error) {
    if (error.status === 401) leave();
    else banner("session", () => explain(error));
    return null;
  }
  if (reader.language && reader.language !== currentLanguage()) await useLanguage(reader.language);
  document.getElementById("who").textContent = reader.name;
  showPages(reader.role);
  wire();
  return reader;
}

function wire() {
  document.addEventListener("session-ended", leave);
  document.getElementById("log-out").addEventListener("click", async () => {
    try {
      await session.close();
      sessionStorage.clear();
      location.replace("/login");
    } catch (error) {
      banner("session", () => explain(error));
    }
  });
  for (const button of document.querySelectorAll("[data-choose-language]")) {
    button.addEventListener("click", async () => {
      await useLanguage(button.dataset.chooseLanguage);
      await session.language(currentLanguage()).catch((error) => banner("session", () => explain(error)));
    });
  }
  onLanguage(draw);
}

function leave() {
  location.replace(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Tell what touches the whole page until `dropBanner`; `text` is asked again in another language. */
export function banner(key, text, tone = "bad") {
  banners.set(key, { text, tone });
  draw();
}

/** What was told is over. */
export function dropBanner(key) {
  if (banners.delete(key)) draw();
}

function draw() {
  const rows = [...banners].map(([key, { text, tone }]) =>
    h("p", { class: `banner banner-${tone}`, "data-banner": key }, icon("warning"), h("span", {}, text())));
  fill(document.getElementById("banners"), rows);
}

/** A labelled control; `attributes` go to the control. */
export function field(label, control, id) {
  control.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, t(label)), control);
}
