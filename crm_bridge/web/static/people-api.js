// What the pages of people, of the journal and on the wall ask of /v1.

import { request } from "./api.js";
import { query } from "./oversight-api.js";

const id = encodeURIComponent;

export const people = {
  list: (values) => request("GET", `/v1/users?${query(values)}`),
  create: (body) => request("POST", "/v1/users", { body }),
  change: (name, body) => request("PATCH", `/v1/users/${id(name)}`, { body }),
  remove: (name) => request("DELETE", `/v1/users/${id(name)}`),
};

export const tokens = {
  list: (values) => request("GET", `/v1/tokens?${query(values)}`),
  create: (body) => request("POST", "/v1/tokens", { body }),
  revoke: (tokenId) => request("DELETE", `/v1/tokens/${id(tokenId)}`),
};

export const journal = {
  list: (values) => request("GET", `/v1/journal?${query(values)}`),
  verify: () => request("POST", "/v1/journal/verify", { patience: 600_000 }),
  address: (values) => `/v1/journal/export?${query(values)}`,
};

export const figures = () => request("GET", "/v1/wallboard");
