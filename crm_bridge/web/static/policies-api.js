// What the page of policies asks of /v1.

import { request } from "./api.js";

const id = encodeURIComponent;

export const policies = {
  list: () => request("GET", "/v1/policies?limit=500"),
  packs: () => request("GET", "/v1/rule-packs"),
  save: (client, body) => request("PUT", `/v1/policies/${id(client)}`, { body }),
  preview: (client, body) => request("POST", `/v1/policies/${id(client)}/preview`, { body }),
  whatIf: (body) => request("POST", "/v1/policies/what-if", { body }),
};
