"""Rule packs, loaded once from packs/*.toml: `id` is the version in force that day, `id@version` that one for ever."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from config.errors import Fault, Invalid
from telephony.policy.facts import House, problems
from telephony.policy.rules import CapRule, HoursRule, PackFile, Rule, Status, Words
from telephony.policy.zones import local_date, start_of_day

HOUSE = "house"
_EVER = timedelta(days=3660)
_SLACK = timedelta(days=3)


class BrokenPack(Fault):
    """A pack file that cannot be used; the service does not start with one."""

    code = "broken-pack"
    status = 500
    title = "A rule pack is broken"


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a pack with its rules. `starts`/`ends` bound it as moments; None is unbounded."""

    id: str
    version: int
    title: Words
    jurisdiction: str
    zone: str
    regions: tuple[str, ...]
    status: Status
    from_: date | None
    until: date | None
    changes: str
    rules: tuple[Rule, ...]

    @property
    def reference(self) -> str:
        """`id@version`, as decisions store it."""
        return f"{self.id}@{self.version}"

    @property
    def starts(self) -> datetime | None:
        """The first moment it is in force."""
        return start_of_day(self.zone, self.from_) if self.from_ else None

    @property
    def ends(self) -> datetime | None:
        """The first moment it is in force no more."""
        return start_of_day(self.zone, self.until) if self.until else None

    def in_force(self, on: date | datetime) -> bool:
        """Whether it applies on that day (a moment: on its day in the pack's zone); drafts never do by themselves."""
        day = local_date(on, self.zone) if isinstance(on, datetime) else on
        after = self.from_ is None or self.from_ <= day
        return self.status != "draft" and after and (self.until is None or day < self.until)


def parse_pack(text: str, name: str) -> list[Pack]:
    """The versions held by one pack file; `BrokenPack` names the file, the key and what is wrong with it."""
    try:
        file = PackFile.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = problems(error)[0]
        raise BrokenPack(f"{name}: {first['field']} {first['message']}") from error
    except tomllib.TOMLDecodeError as error:
        raise BrokenPack(f"{name}: {error}") from error
    shared = (file.title, file.jurisdiction, file.zone, file.regions)
    return [
        Pack(file.id, item.version, *shared, item.status, item.from_, item.until, item.changes, item.rules)
        for item in sorted(file.versions, key=lambda item: item.version)
    ]


@cache
def _shipped() -> dict[str, tuple[Pack, ...]]:
    found: dict[str, tuple[Pack, ...]] = {}
    for path in sorted(files("telephony.policy").joinpath("packs").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml"):
            versions = parse_pack(path.read_text("utf-8"), path.name)
            if versions[0].id != path.name.removesuffix(".toml"):
                raise BrokenPack(f"{path.name}: id must be the file's name, and is {versions[0].id!r}")
            found[versions[0].id] = tuple(versions)
    return found


def available() -> list[Pack]:
    """Every version of every pack shipped."""
    return [pack for versions in _shipped().values() for pack in versions]


@cache
def named(reference: str) -> tuple[Pack, ...]:
    """Every version that a reference may mean on some day: all of `id` but drafts, or exactly `id@version`."""
    name, at, number = reference.partition("@")
    versions = _shipped().get(name, ())
    if not at:
        found = tuple(pack for pack in versions if pack.status != "draft")
    else:
        found = tuple(pack for pack in versions if str(pack.version) == number)
    if not found:
        known = ", ".join(pack.reference for pack in versions) or ", ".join(_shipped())
        message = f"names the pack {reference!r}, which is not shipped; there are: {known}"
        raise Invalid(f"facts: packs {message}", [{"field": "packs", "message": message}])
    return found


def with_house(references: Iterable[str]) -> list[str]:
    """The references sorted, each once, with the pack `house`, which is always in force."""
    wanted = set(references)
    if not any(reference.partition("@")[0] == HOUSE for reference in wanted):
        wanted.add(HOUSE)
    return sorted(wanted)


def resolve(references: Sequence[str], on: date | datetime) -> list[Pack]:
    """The packs in force on a day: a pinned version whatever the day, else the one of that day; `house` always."""
    found: dict[str, Pack] = {}
    for reference in with_house(references):
        for pack in named(reference):
            if "@" in reference or pack.in_force(on):
                found[pack.reference] = pack
    return [found[reference] for reference in sorted(found)]


def packs_for_regions(regions: Iterable[str], on: date | datetime | None = None) -> list[str]:
    """The packs that a debtor's regions ("US-MA", "AU-VIC") add by themselves; those off or draft never are."""
    covering = _covering(tuple(sorted({region.upper() for region in regions})))
    return sorted({pack.id for pack in covering if on is None or pack.in_force(on)})


@lru_cache(maxsize=4096)
def _covering(regions: tuple[str, ...]) -> tuple[Pack, ...]:
    return tuple(pack for pack in available() if pack.status == "on" and _covers(pack.regions, regions))


def _covers(own: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(region == mine or region.startswith(f"{mine}-") for mine in own for region in wanted)


def history_horizon(
    packs: Iterable[Pack | str], relation: str | None = None, house: Mapping[str, Any] | None = None
) -> timedelta:
    """How far back a history must reach for these packs and the client's own caps; a rule without a window: ten years.

    Naming the party's relation leaves out rules that are not about it: only third persons have one without a window.
    """
    return max(_house_reach(house or {}), _packs_reach(tuple(packs), relation)) + _SLACK


@lru_cache(maxsize=1024)
def _packs_reach(packs: tuple[Pack | str, ...], relation: str | None) -> timedelta:
    caps = [rule for rule in _caps(packs) if relation is None or not rule.relations or relation in rule.relations]
    return max((_reach(rule) for rule in caps), default=timedelta())


def _caps(packs: Iterable[Pack | str]) -> list[CapRule]:
    versions = [pack for item in packs for pack in (named(item) if isinstance(item, str) else (item,))]
    return [rule for pack in versions for rule in pack.rules if isinstance(rule, CapRule)]


def counts_by_account(packs: Iterable[str], house: Mapping[str, Any]) -> bool:
    """Whether a cap of these packs or of the client counts by account, so that others' contacts on it count too."""
    own = any("account" in cap.get("per", ()) for cap in house.get("caps") or ())
    return own or _packs_count_by_account(tuple(packs))


@lru_cache(maxsize=1024)
def _packs_count_by_account(packs: tuple[str, ...]) -> bool:
    return any("account" in rule.per for rule in _caps(packs))


def _house_reach(house: Mapping[str, Any]) -> timedelta:
    if not house.get("caps") and not house.get("min_gap_minutes"):
        return timedelta(days=1)
    own = House.model_validate(house)
    caps = [timedelta(days=cap.days) if cap.days else timedelta(minutes=cap.minutes or 0) for cap in own.caps]
    return max([timedelta(days=1), timedelta(minutes=own.min_gap_minutes or 0), *caps])


def _reach(rule: CapRule) -> timedelta:
    if rule.days is not None:
        return timedelta(days=rule.days)
    return _EVER if rule.minutes is None else timedelta(minutes=rule.minutes)


@cache
def hours_rules() -> frozenset[str]:
    """The ids of every rule about the time of day: what a call that goes on too long runs into."""
    shipped = {f"{pack.id}/{rule.name}" for pack in available() for rule in pack.rules if isinstance(rule, HoursRule)}
    return frozenset(shipped | {f"{HOUSE}/hours", f"{HOUSE}/inconvenient"})


def listing(on: datetime | None = None) -> list[dict[str, Any]]:
    """Every pack version with its rules as JSON values, for `policy packs`; `on` adds whether it is in force then."""
    return [_listed(pack) | ({} if on is None else {"in_force": pack.in_force(on)}) for pack in available()]


def _listed(pack: Pack) -> dict[str, Any]:
    dates = {"from": pack.from_ and pack.from_.isoformat(), "until": pack.until and pack.until.isoformat()}
    rules = []
    for rule in pack.rules:
        own = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        rules.append({"id": f"{pack.id}/{own.pop('name')}", **own, "version": pack.version, **dates})
    return {
        "id": pack.id, "version": pack.version, "reference": pack.reference, "status": pack.status, **dates,
        "title": pack.title.model_dump(), "jurisdiction": pack.jurisdiction, "zone": pack.zone,
        "regions": list(pack.regions), "changes": pack.changes, "rules": rules,
    }  # fmt: skip
