// What the desk asks of /v1 about commitments, shared debts, marks of numbers and the state of a case.

import { request } from "./api.js";
import { query } from "./oversight-api.js";

const id = encodeURIComponent;

export const commitments = {
  ofCase: (caseId) => request("GET", `/v1/commitments?${query({ case_id: caseId, state: "open" })}`),
  close: (commitmentId, body) => request("POST", `/v1/commitments/${id(commitmentId)}/close`, { body }),
};

export const relatedCases = (caseId) => request("GET", `/v1/cases/${id(caseId)}/related`);

export const changeState = (caseId, action, reason) => request("POST", `/v1/cases/${id(caseId)}/state`, { body: { action, reason } });

export const markNumber = (partyId, number, mark, reason) =>
  request("POST", `/v1/parties/${id(partyId)}/numbers/${id(number)}/mark`, { body: { mark, reason } });
