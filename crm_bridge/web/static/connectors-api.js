// What the page of connectors asks of /v1.

import { request } from "./api.js";

const id = encodeURIComponent;
const PATIENCE = 90_000; // ms; a slow CRM is asked several times

export const connectors = {
  list: () => request("GET", "/v1/connectors?limit=500"),
  create: (body) => request("POST", "/v1/connectors", { body }),
  change: (connector, body) => request("PATCH", `/v1/connectors/${id(connector)}`, { body }),
  remove: (connector) => request("DELETE", `/v1/connectors/${id(connector)}`),
  test: (connector) => request("POST", `/v1/connectors/${id(connector)}/test`, { patience: PATIENCE }),
  pull: (connector, acceptRemoved) => request("POST", `/v1/connectors/${id(connector)}/pull?accept_removed=${acceptRemoved}`),
  conflicts: (connector, cursor) => request("GET", `/v1/connectors/${id(connector)}/conflicts?limit=50${cursor ? `&cursor=${id(cursor)}` : ""}`),
  decide: (connector, conflict, take) => request("POST", `/v1/connectors/${id(connector)}/conflicts/${id(conflict)}/decide`, { body: { take } }),
};
