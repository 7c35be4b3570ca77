// A new password: before anything else where it must be changed, or whenever somebody likes.

import { explain, session } from "./api.js";
import { currentLanguage, t, useLanguage } from "./i18n.js";

const form = document.getElementById("password-form");
const message = document.getElementById("password-error");
const SHORTEST = 8;
let lastError = null;

function showError() {
  message.hidden = !lastError;
  message.textContent = lastError ? lastError() : "";
}

function complain(key, field) {
  lastError = () => t(key);
  showError();
  field.focus();
}

/** Where to go on: only a path of this site. */
function destination() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(next, location.origin);
  return address.origin === location.origin && next.startsWith("/") ? address.pathname + address.search : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { old, new: fresh, again } = form.elements;
  const button = form.querySelector("[type=submit]");
  if (button.disabled) return;
  if (!old.value) return complain("password.needs_old", old);
  if (fresh.value.length < SHORTEST) return complain("password.too_short", fresh);
  if (fresh.value !== again.value) return complain("password.differs", again);
  if (fresh.value === old.value) return complain("password.same", fresh);
  button.disabled = true;
  try {
    await session.password(old.value, fresh.value);
    location.replace(destination());
  } catch (error) {
    button.disabled = false;
    if (error.status === 401) return location.replace(`/login?next=${encodeURIComponent(location.pathname)}`);
    const field = error.members?.errors?.[0]?.field;
    if (field === "old") return complain("password.wrong_old", old);
    if (field === "new") return complain("password.bad_new", fresh);
    lastError = () => explain(error);
    showError();
  }
});

document.getElementById("log-out").addEventListener("click", async () => {
  await session.close().catch(() => {});
  location.replace("/login");
});

for (const button of document.querySelectorAll("[data-choose-language]")) {
  button.addEventListener("click", async () => {
    await useLanguage(button.dataset.chooseLanguage);
    showError();
  });
}

await useLanguage(currentLanguage());
