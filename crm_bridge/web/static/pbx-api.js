// What the page of the phone systems asks of /v1. Looking and applying take their time.

import { request } from "./api.js";

const id = encodeURIComponent;
const LONG = 120_000; // ms; a reload alone may take half a minute

export const pbxs = {
  list: () => request("GET", "/v1/pbxs"),
  get: (name) => request("GET", `/v1/pbxs/${id(name)}`),
  phones: (name) => request("GET", `/v1/pbxs/${id(name)}/phones`, { patience: LONG }),
  check: (name) => request("POST", `/v1/pbxs/${id(name)}/check`, { patience: LONG }),
  plan: (name, phones, inbound) => request("GET", `/v1/pbxs/${id(name)}/plan?${new URLSearchParams({ phones: phones.join(","), inbound: inbound.join(",") })}`, { patience: LONG }),
  apply: (name, reason, phones, inbound) => request("POST", `/v1/pbxs/${id(name)}/apply`, { body: { reason, phones, inbound }, patience: LONG }),
};
