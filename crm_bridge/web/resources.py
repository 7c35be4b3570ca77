"""The desk's resources: the list that the composition root puts into the router."""

from crm_bridge.web import (
    cases,
    complaints,
    contacts,
    docs,
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
)
from crm_bridge.web.api import Api

DESK: tuple[Api, ...] = (
    session.api,
    cases.api,
    notes.api,
    complaints.api,
    contacts.api,
    overrides.api,
    policies.api,
    trunks.api,
    users.api,
    tokens.api,
    journal.api,
    openapi.api,
    docs.api,
    problems.api,
)
