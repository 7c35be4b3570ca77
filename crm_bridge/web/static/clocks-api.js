// What the complaint board and the page of deadlines ask of /v1.

import { request } from "./api.js";
import { query } from "./oversight-api.js";

const id = encodeURIComponent;
const MOST = 500;

async function all(path, values) {
  const items = [];
  let cursor = null;
  do {
    const page = await request("GET", `${path}?${query({ ...values, cursor, limit: 200 })}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < MOST);
  return items;
}

export const complaints = {
  waiting: () => all("/v1/complaints", { waiting: "true" }),
  settled: async () => (await request("GET", "/v1/complaints?state=closed&limit=50")).items.filter((item) => item.instructed),
  get: (complaintId) => request("GET", `/v1/complaints/${id(complaintId)}`),
  decide: (complaintId, verb, body) => request("POST", `/v1/complaints/${id(complaintId)}/${verb}`, { body }),
};

export const deadlines = {
  list: (values) => request("GET", `/v1/deadlines?${query(values)}`),
  end: (deadlineId, verb, reason) => request("POST", `/v1/deadlines/${id(deadlineId)}/${verb}`, { body: { reason } }),
  open: (body) => request("POST", "/v1/deadlines", { body }),
};

export const calendar = () => request("GET", "/v1/working-calendar");
