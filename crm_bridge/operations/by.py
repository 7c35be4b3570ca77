"""In whose name a configuration is applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_bridge.people.users import User


@dataclass(frozen=True, slots=True)
class By:
    """Who applies it, when and why, and what the settings say of zones and PBXs."""

    user: User
    now: datetime
    reason: str
    zone: str
    pbxs: Sequence[str] = ()
