"""The desk's resources: the list that the composition root puts into the router."""

from crm_bridge.web import (
    cases,
    comments,
    complaints,
    contacts,
    docs,
    holds,
    incidents,
    journal,
    notes,
    openapi,
    overrides,
    policies,
    problems,
    retention,
    session,
    tokens,
    trunks,
    users,
)
from crm_bridge.web.api import Api

DESK: tuple[Api, ...] = (
    session.api,
    cases.api,
    notes.api,
    complaints.api,
    comments.api,
    contacts.api,
    overrides.api,
    policies.api,
    trunks.api,
    retention.api,
    holds.api,
    incidents.api,
    users.api,
    tokens.api,
    journal.api,
    openapi.api,
    docs.api,
    problems.api,
)
