// Our page inside a CRM's: it takes orders from the page around it, of that exact origin and no other, and tells it what happens.
//   page -> frame   {callbridge: "init", options: {token, language?}} · {callbridge: "ask", id, method, args[]} · {callbridge: "token", token}
//   frame -> page   {callbridge: "loaded"} · {callbridge: "answer", id, value} or {…, problem} · {callbridge: "event", name, detail}

import "./bridge.js";

const around = document.documentElement.dataset.origin;
const ASKED = ["dial", "hangup", "hold", "unhold", "mute", "unmute", "dtmf", "transfer", "saveLog", "setAgentState"];
const RENEWAL = 15_000; // ms for the page to give another token
const bridge = window.CallBridge;
let another = null;

const send = (message) => window.parent.postMessage(message, around);

/** The page gives another token when it is told that the old one has expired. */
function tokenProvider() {
  return new Promise((resolve, reject) => {
    another = resolve;
    setTimeout(() => reject(new Error("the page gave no token")), RENEWAL);
    send({ callbridge: "token-needed" });
  });
}

async function ask({ id, method, args = [] }) {
  try {
    if (!ASKED.includes(method)) throw new TypeError(`there is no ${method}`);
    send({ callbridge: "answer", id, value: await bridge[method](...args) });
  } catch (error) {
    send({ callbridge: "answer", id, problem: { code: error.code ?? "error", detail: error.message, ...error.members } });
  }
}

window.addEventListener("message", ({ origin, source, data }) => {
  if (origin !== around || source !== window.parent || typeof data !== "object" || data === null) return;
  if (data.callbridge === "init") {
    const { token, language } = data.options ?? {};
    bridge.init({ url: location.origin, token, language, tokenProvider, embeddedIn: around }).catch(() => null); // `error` is told as an event
  }
  if (data.callbridge === "token") another?.(data.token);
  if (data.callbridge === "ask") ask(data);
});
bridge.on("*", (detail, name) => send({ callbridge: "event", name, detail: JSON.parse(JSON.stringify(detail ?? null)) }));
document.addEventListener("open-case", (event) => event.preventDefault()); // the page around goes there, not the frame
send({ callbridge: "loaded" });
