"""Why a setting is changed: said with the change, kept in the journal beside what it was before."""

from pydantic import BaseModel, Field

from crm_bridge.web.api import Query


class WithReason(BaseModel):
    """A change that may say why; the pages ask for it."""

    reason: str = Field("", max_length=2000, description="why, for the journal")


class ReasonQuery(Query):
    """Why something is taken away."""

    reason: str = Field("", max_length=2000, description="why, for the journal")
