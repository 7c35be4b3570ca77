// All that a CRM's page has to do: begin, put numbers into the page, and react.
const tokenProvider = async () => (await fetch("/token", { method: "POST" })).json();
CallBridge.init({ tokenProvider, language: "en" });

const element = (tag, attributes, text = "") => Object.assign(document.createElement(tag), attributes, { textContent: text });
const caseId = new URLSearchParams(location.search).get("id");
const told = (text) => document.getElementById("log")?.append(element("li", {}, text));

fetch("/cases.json").then((answer) => answer.json()).then((cases) => {
  for (const { id, parties: [party] } of caseId ? [] : cases) {
    const row = document.getElementById("cases").insertRow();
    row.insertCell().append(element("a", { href: `/case?id=${id}` }, id));
    row.insertCell().append(party.name);
    const link = document.createElement("call-link");
    for (const [name, value] of Object.entries({ number: party.numbers[0].e164, case: id, party: party.id, name: party.name })) link.setAttribute(name, value);
    row.insertCell().append(link);
  }
  const shown = cases.find((one) => one.id === caseId);
  if (!shown) return;
  document.getElementById("title").textContent = `Case ${shown.id}: ${shown.parties[0].name}`;
  for (const { e164 } of shown.parties[0].numbers) {
    const item = document.getElementById("numbers").appendChild(element("li", {}));
    const link = item.appendChild(element("a", { href: `tel:${e164}` }, e164));
    Object.assign(link.dataset, { case: shown.id, party: shown.parties[0].id, name: shown.parties[0].name });
  }
});

CallBridge.on("call", (call) => call && told(`call ${call.state}`));
CallBridge.on("refused", ({ detail }) => told(`refused: ${detail}`));
CallBridge.on("note-saved", () => told("note saved"));
CallBridge.on("screen_pop", ({ data }) => told(`${data.state}: ${data.number}, ${data.matches.map((one) => one.link ?? one.case_id).join(" or ")}`));
CallBridge.on("case.suspended", ({ case_id }) => told(`case ${case_id} must not be called any more`));

document.getElementById("complaint")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  await fetch("/complaint", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id: caseId, text: event.target.text.value }) });
});
