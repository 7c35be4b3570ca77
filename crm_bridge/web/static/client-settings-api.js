// What the page of the clients' settings asks of /v1.

import { Problem, request } from "./api.js";
import { query } from "./oversight-api.js";

const id = encodeURIComponent;

async function orNull(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

export const settings = {
  clients: async () => (await request("GET", "/v1/reports")).clients,
  codes: async (client) => {
    const { items, fields } = await request("GET", `/v1/action-codes?${query({ client })}`);
    return { codes: items, fields };
  },
  ownCodes: async () => (await request("GET", "/v1/action-codes/own")).items.map((one) => one.client),
  saveCodes: (client, body) => request("PUT", `/v1/action-codes/${id(client)}`, { body }),
  dropCodes: (client, reason) => request("DELETE", `/v1/action-codes/${id(client)}?${query({ reason })}`),
  template: (client) => request("GET", `/v1/note-templates/${id(client)}`),
  saveTemplate: (client, body) => request("PUT", `/v1/note-templates/${id(client)}`, { body }),
  dropTemplate: (client, reason) => orNull(request("DELETE", `/v1/note-templates/${id(client)}?${query({ reason })}`)),
  ladders: async () => (await request("GET", "/v1/complaint-ladders")).items,
  saveLadder: (severity, body) => request("PUT", `/v1/complaint-ladders/${id(severity)}`, { body }),
  rules: async () => (await request("GET", "/v1/deadline-rules")).items,
  saveRule: (kind, body) => request("PUT", `/v1/deadline-rules/${id(kind)}`, { body }),
  calendar: (client) => request("GET", `/v1/working-calendar?${query({ client })}`),
  saveCalendar: (body) => request("PUT", "/v1/working-calendar", { body }),
  due: (values) => request("GET", `/v1/working-calendar/due?${query(values)}`),
  year: (country, year, language) => request("GET", `/v1/working-calendar/year?${query({ country, year, language })}`),
  saveDay: (country, day, body) => request("PUT", `/v1/working-calendar/days/${id(country)}/${id(day)}`, { body }),
  dropDay: (country, day, reason) => request("DELETE", `/v1/working-calendar/days/${id(country)}/${id(day)}?${query({ reason })}`),
  forms: async () => (await request("GET", "/v1/qa/forms")).items,
  saveForm: (formId, body) => request("PUT", `/v1/qa/forms/${id(formId)}`, { body }),
  newForm: (body) => request("POST", "/v1/qa/forms", { body }),
  mailings: async () => (await request("GET", "/v1/report-mailings")).items,
  saveMailing: (report, body) => request("PUT", `/v1/report-mailings/${id(report)}`, { body }),
};
