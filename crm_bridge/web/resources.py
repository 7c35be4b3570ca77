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
    session,
    tokens,
    trunks,
    users,
    work,
)
from crm_bridge.web.api import Api

DESK: tuple[Api, ...] = (
    session.api,
    cases.api,
    notes.api,
    work.api,
    complaints.api,
    comments.api,
    contacts.api,
    overrides.api,
    policies.api,
    trunks.api,
    holds.api,
    incidents.api,
    users.api,
    tokens.api,
    journal.api,
    openapi.api,
    docs.api,
    problems.api,
)
