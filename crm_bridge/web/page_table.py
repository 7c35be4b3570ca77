"""Every page, once: its address, what it is called, where it stands in the navigation and whose it is."""

from dataclasses import dataclass

from crm_bridge.people.users import Role

OVERSEERS: tuple[Role, ...] = ("qa", "supervisor", "admin")
LEADS: tuple[Role, ...] = ("supervisor", "admin")
ADMINS: tuple[Role, ...] = ("admin",)

GROUPS = {"desk": "group.desk", "qa": "group.qa", "supervisor": "group.supervisor", "admin": "group.admin"}
"""The first line of the navigation, by name and key; each leads to the first page of it that the reader may use."""


@dataclass(frozen=True, slots=True)
class Page:
    """A shell without data. `key` names it in the catalogue; `also` are further addresses under which it is served.

    `roles` decide what the navigation offers; what a page shows is decided by the API, request by request.
    """

    address: str
    template: str
    group: str
    key: str
    roles: tuple[Role, ...]
    also: tuple[str, ...] = ()


PAGES = (
    Page("/", "desk.html", "desk", "oversight.desk", ("collector", "supervisor", "admin"), also=("/cases/{case_id}",)),
    Page("/qa", "replay.html", "qa", "oversight.replay", OVERSEERS, also=("/qa/calls/{call_id}",)),
    Page("/qa/reviews", "reviews.html", "qa", "oversight.reviews", OVERSEERS),
    Page("/qa/incidents", "incidents.html", "qa", "oversight.incidents", OVERSEERS),
    Page("/qa/retrievals", "retrievals.html", "qa", "oversight.retrievals", OVERSEERS),
    Page("/retention", "retention.html", "qa", "oversight.retention", OVERSEERS),
    Page("/supervisor", "floor.html", "supervisor", "oversight.floor", OVERSEERS),
    Page(
        "/supervisor/complaints",
        "complaints.html",
        "supervisor",
        "oversight.complaints",
        OVERSEERS,
        also=("/supervisor/complaints/{complaint_id}",),
    ),
    Page("/deadlines", "deadlines.html", "supervisor", "oversight.deadlines", ("collector", *OVERSEERS)),
    Page(
        "/supervisor/import",
        "import.html",
        "supervisor",
        "oversight.imports",
        LEADS,
        also=("/supervisor/import/{import_id}",),
    ),
    Page("/supervisor/reports", "reports.html", "supervisor", "oversight.reports", OVERSEERS),
    Page("/admin/policies", "policies.html", "admin", "oversight.policies", LEADS),
    Page("/admin/clients", "client_settings.html", "admin", "oversight.clients", LEADS),
    Page("/admin/inbound", "inbound.html", "admin", "oversight.inbound", LEADS),
    Page("/admin/connectors", "connectors.html", "admin", "oversight.connectors", ADMINS),
    Page("/admin/deliveries", "deliveries.html", "admin", "oversight.deliveries", ADMINS),
    Page("/admin/pbx", "pbx.html", "admin", "oversight.pbx", ADMINS),
    Page("/admin/people", "people.html", "admin", "oversight.people", ADMINS),
    Page("/admin/journal", "journal.html", "admin", "oversight.journal", LEADS),
    Page("/wallboard", "wallboard.html", "supervisor", "oversight.wallboard", OVERSEERS),
    Page("/admin/trunks", "trunks.html", "admin", "oversight.trunks", LEADS),
)
