"""The verdict: allow or deny, every denial with its rule and when it ends, and the JSON that says so."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from telephony.policy.checks import Count, Sentence
from telephony.policy.zones import zone

_ZH_DAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class Denial:
    """One rule that denies. `retry_at`: when this rule alone would allow, None if it never will by itself.

    `competing`: ids of calls that are not over and count against it. `lift`: who or what can end it.
    """

    rule: str
    pack: str
    reason: str
    reason_zh: str
    retry_at: datetime | None
    hard: bool
    competing: tuple[str, ...] = ()
    lift: str = ""
    lift_zh: str = ""


@dataclass(frozen=True, slots=True)
class Warning:
    """Something the caller should know that denies nothing."""

    rule: str
    reason: str
    reason_zh: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one call. `rule`, `pack`, `reason` are the weightiest denial's; `retry_at`: when all allow.

    `lifted`: denials that an override sets aside. `consented`: an agreed call sets a cap aside, so the call is to be
    stored as consented. `zone`: the one that times are told in.
    """

    verdict: Literal["allow", "deny"]
    rule: str | None
    pack: str | None
    reason: str
    reason_zh: str
    retry_at: datetime | None
    denials: tuple[Denial, ...]
    warnings: tuple[Warning, ...]
    counts: tuple[Count, ...]
    versions: dict[str, Any]
    lifted: tuple[Denial, ...] = ()
    consented: bool = False
    zone: str = "UTC"

    @property
    def allowed(self) -> bool:
        """Whether the call may be placed."""
        return self.verdict == "allow"

    def document(self) -> dict[str, Any]:
        """The verdict as JSON values, times as RFC 3339 with the offset of the callee's zone."""
        document: dict[str, Any] = _told(asdict(self), self.zone)
        return document


def _told(value: Any, key: str) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone(key)).isoformat()
    if isinstance(value, dict):
        return {name: _told(item, key) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_told(item, key) for item in value]
    return value


def told(why: Sentence, retry_at: datetime | None, key: str, lift: Sentence) -> Sentence:
    """One sentence for the collector: why not, until when, who can lift it."""
    until = Sentence("It does not end by itself", "不会自动解除")
    if retry_at is not None:
        local = retry_at.astimezone(zone(key)).replace(tzinfo=None).isoformat(" ", "seconds")
        day = retry_at.astimezone(zone(key))
        until = Sentence(
            f"Next allowed {day:%a} {local} {key}", f"下次可拨打:{local} 周{_ZH_DAYS[day.weekday()]}({key})"
        )
    return Sentence(f"{why.en.rstrip('.')}. {until.en}. {lift.en}", f"{why.zh.rstrip('。')}。{until.zh}。{lift.zh}")
