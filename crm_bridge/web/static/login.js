// The log-in page.

import { explain, session } from "./api.js";
import { currentLanguage, t, useLanguage } from "./i18n.js";

const form = document.getElementById("login");
const message = document.getElementById("login-error");
let chosen = false;
let lastError = null;

function showError() {
  message.hidden = !lastError;
  message.textContent = lastError ? lastError() : "";
}

/** Where to go after the log-in: only a path of this site. */
function destination() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(next, location.origin);
  return address.origin === location.origin && next.startsWith("/") ? address.pathname + address.search : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const { name, password } = form.elements;
  if (!name.value.trim() || !password.value) {
    lastError = () => t("login.needs_both");
    (name.value.trim() ? password : name).focus();
    return showError();
  }
  if (button.disabled) return;
  button.disabled = true;
  try {
    const reader = await session.open(name.value.trim(), password.value);
    if (chosen && reader?.language !== currentLanguage()) await session.language(currentLanguage());
    const next = destination();
    location.replace(reader?.must_change_password ? `/password?next=${encodeURIComponent(next)}` : next);
  } catch (error) {
    button.disabled = false;
    lastError = () => (error.code === "unauthorized" ? t("login.wrong") : explain(error));
    showError();
    password.select();
  }
});

for (const button of document.querySelectorAll("[data-choose-language]")) {
  button.addEventListener("click", async () => {
    chosen = true;
    await useLanguage(button.dataset.chooseLanguage);
    showError();
  });
}

// The form is sent by this script alone: until it listens, nothing can be sent past it.
form.querySelector("button").disabled = false;
await useLanguage(currentLanguage());
