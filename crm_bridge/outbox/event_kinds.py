"""Every kind of event that the journal has, in one line each: what a webhook may ask for, and docs/events.md.

    python -m crm_bridge.outbox.event_kinds > docs/events.md

A test holds this list against the code: no kind is written that is not here.
"""

from collections.abc import Mapping

from crm_bridge.outbox.messages import FINISHED

CALLS = {
    "call.created": "a call began: clicked, typed, transferred or came in; `data.call` is the call",
    "call.state": "it moved on, or was handed on; `data.call` is the call as it is now",
    "call.ended": "its last leg is gone; `data.call` has outcome, cause and times",
    "call.denied": "the policy refused it: `rule`, `reason`, `retry_at`, `decision_id`",
    "call.violation": "a leg left unasked, or an attempt was found later: `violation`",
    "call.announced": "how much of the recording announcement was played: `result`",
    "call.emergency": "an emergency number was dialled, past the gate",
    "call.inbound": "a call came in: `did`, `carrier`, `answer`, `adopted`, `matches[]`",
    "call.case": "whose call it was: `party_id`, `before`",
    "call.right_party": "who answered, as the collector says",
    "call.muted": "the collector's voice is off",
    "call.unmuted": "and on again",
    "call.digits": "digits were sent: `count`, never which",
    "call.listened": "somebody listens in: `listening_id`, `listener`, `extension`, `mode`, `reason`; no collector is told",
    "call.listen_began": "that phone was answered",
    "call.listen_mode": "from listening to whispering, or back: `mode`, `was`",
    "call.listen_ended": "it is over: `heard` whether the phone was answered, `seconds`",
    "call.transferred": "handed on: `from`, `to`, `kind`, `call_id`",
    "call.transfer_failed": "the target did not answer or was refused: `to`, `kind`, `reason`, `denial`",
    "call_back.due": "a missed call is to be returned: `call_back_id`, `number`, `missed`",
    "call_back.done": "it was returned",
    "call_back.dropped": "it will not be: `reason`",
    "screen_pop": "a phone rings with a call from outside: `state`, `number`, `did`, `matches[]`",
    "agent.state": "a collector is available, on a call, in wrap-up or away",
}
NOTES = {
    "note.drafted": "a call ended and its note was drafted: `note_id`",
    "note.written": "a note is final, or was corrected: the whole note, see docs/webhooks.md",
    "note.synced": "it arrived at a destination: `note_id`, `destination`, `remote_id`, `attempts`",
    "note.failed": "it is among the dead letters of a destination: `note_id`, `destination`, `reason`, `item_id`",
    "commitment.made": "a promise or a call-back: `commitment`, `commitment_id`, `day`",
    "commitment.closed": "what came of it: `state`, `reason`",
    "number.marked": "a number is valid, a wrong person's or not in service: `number`, `mark`",
    "party.flagged": "a refusal, cease, attorney, death and so on: `flag`, `value`, `reason`",
    "party.agreed": "times that were agreed, or asked not to be called",
    "contact.recorded": "what somebody else did: a text, a letter, a client's robot",
    "reveal": "somebody looked at what is masked: what and why",
}
CASES = {
    "case.created": "a case came from the CRM, an import or a connector",
    "case.updated": "its fields changed",
    "case.state": "settled, closed, returned: `state`, `before`, `reason`",
    "case.suspended": "calling stopped: `reason`",
    "case.resumed": "calling may go on",
    "complaint.opened": "`complaint_id`, `severity`, `category`, `party_id`, `step`",
    "complaint.acted": "a step was taken: `step`, `text`, `next_step`",
    "complaint.noted": "a remark",
    "complaint.escalated": "nobody acted in time: `from`, `to`, `told[]`, `due_at`",
    "complaint.closed": "`ruling`, `justified`",
    "complaint.reopened": "it was closed too early",
    "complaint.instructed": "`resume`, `assign_to`",
    "complaint.undone": "a step was taken back: `undone`, `step`, `reason`",
    "complaint.ladder_changed": "who has complaints within what time",
    "override.granted": "a supervisor's leave for one number: `reason`, `expires_at`",
    "deadline.opened": "a clock that somebody started",
    "deadline.warning": "it will be missed soon",
    "deadline.missed": "it was missed: `deadline`, `due_at`, `owner`, `told[]`",
    "deadline.escalated": "still nothing: `level`, `told[]`",
    "deadline.done": "it was met",
    "deadline.cancelled": "it counts no more: `reason`",
    "deadline.reassigned": "other people have it now: `from`, `to`, `team`, `count`",
    "deadline.rule_changed": "within what time, and who is told",
    "import.uploaded": "a file of cases: `file`, `sha256`, `deadline_at`",
    "import.checked": "it was checked: `counts`",
    "import.tried": "a dry run",
    "import.started": "it is being written",
    "import.done": "it was written: `counts`",
    "import.failed": "it could not be",
    "import.canceled": "`reason`",
    "import.extended": "more time to confirm it: `reason`",
    "import.confirmed": "to the client: `to`, `in_time`",
}
EVIDENCE = {
    "recording.ready": "a leg's recording is in the archive and proven, with its hashes",
    "recording.incident": "one is missing, silent, short or cannot be kept: `kind` and what is known",
    "recording.adopted": "one that no call expected was taken in",
    "recording.paused": "`reason`, `until`",
    "recording.resumed": "`why`",
    "recording.played": "who heard what",
    "recording.exported": "who took which evidence out, and why",
    "recording.commented": "a remark at a second of it",
    "recording.comment_removed": "that remark was taken away",
    "recording.deleted": "its time was over: `receipt_id`",
    "recorder.tested": "the PBX called itself: what came back",
    "hold.opened": "recordings may not be deleted: `matter`",
    "hold.extended": "for more of them",
    "hold.released": "and may again",
    "key.destroyed": "the last of a group was deleted, its key is gone",
    "retention.run": "what was deleted by its date",
    "retention_class.changed": "how long what is kept",
    "retrieval.requested": "a client wants recordings",
    "retrieval.done": "and has them",
    "report.exported": "who took which figures out",
    "report.made": "the report of a period",
    "report.mailing_changed": "to whom reports are mailed",
    "qa.sampled": "calls were drawn for review",
    "qa.reviewed": "`score`, `finding`",
    "qa.form_changed": "how reviews score",
}
HOUSE = {
    "pbx.state": "a PBX is reached or not",
    "pbx.applied": "its dialplan was changed by us: who, why, what",
    "trunk.created": "a trunk was registered",
    "trunk.changed": "its settings",
    "trunk.change_failed": "the PBX did not take them",
    "trunk.removed": "it is no more",
    "trunk.tested": "a trial: what came back",
    "trunk.drained": "it takes no new calls, or does again",
    "trunk.recovered": "it works again",
    "trunk.state": "a trunk works or not",
    "caller_ids.pool_changed": "which numbers are shown to whom",
    "caller_ids.pool_removed": "a pool of them is no more",
    "carrier.imported": "call records of a carrier were read",
    "carrier.format_changed": "how they are read",
    "inbound_route.changed": "where calls to a number go",
    "group.changed": "who rings together",
    "allowed_number.added": "a number that may be dialled without a case",
    "allowed_number.removed": "and no more",
    "policy.changed": "a client's rules",
    "client.removed": "all settings of a client were taken away; `before` has them",
    "script.changed": "what is said to third parties",
    "calendar.changed": "working days and hours",
    "action_codes.changed": "a client's action codes",
    "note_template.changed": "a client's columns",
    "import_mapping.changed": "how a client's file is read",
    "mail.failed": "a message could not be sent: `recipient`, `subject`, `error`",
    "destination.created": "a webhook or connector: `destination_id`, `kind`, `name`, `events`, `clients`",
    "destination.changed": "its settings, switched on or off, its secret replaced (never which)",
    "destination.disabled": "the service gave up on it: `reason`",
    "destination.deleted": "it is told nothing more",
    "connector.pulled": "cases came in from a CRM: `connector_id`, `full`, counts",
    "connector.pull_asked": "by somebody: `full`, `accept_removed`",
    "connector.failing": "a pull was not seen through, and goes on by itself: `why`; told once",
    "connector.conflict": "a CRM and the desk differ: `conflict_id`, `code`, `record`, `field`",
    "connector.decided": "whose value holds: `conflict_id`, `field`, `take`",
    "delivery.replayed": "sent again by somebody: `destination_id`, `items` or how many, `reason`",
    "delivery.dropped": "not to be sent any more: `item_id`, `reason`",
    "config.exported": "who took the settings out",
    "config.applied": "settings were brought in",
    "backup.made": "a backup",
    "backup.restored": "the service runs on a restored backup",
    "user.created": "an account",
    "user.changed": "its role, phone, team or password",
    "user.password_changed": "by the person",
    "user.let_go": "somebody left: what became of their work",
    "user.login_failed": "a wrong password; `address`: from where, `locked`: the next must wait",
    "session.opened": "somebody logged in; `address`: from where, `ended`: so many other sessions of theirs",
    "case.viewed": "a person opened a case, told once in ten minutes",
    "case.searched": "a person looked somebody up: `by` what, `found`; never what was typed",
    "journal.exported": "who took entries out, by which `query`",
    "journal.verified": "the chain was checked: `holds`, `problems`",
    "session.revoked": "and out",
    "token.created": "a program's credentials",
    "token.revoked": "and their end",
    "widget.created": "a call bar in a CRM's page: `user`, `origin`, `expires_at`",
    "widget.revoked": "and its end before its time",
    "screen_pop_link.set": "where a client's cases are in its CRM: `client`, `template`",
    "screen_pop_link.removed": "no longer: `client`",
}
FAMILIES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Calls and collectors", CALLS),
    ("Notes and what was said", NOTES),
    ("Cases, complaints, clocks and imports", CASES),
    ("Recordings, evidence and quality", EVIDENCE),
    ("The house", HOUSE),
)
KINDS: Mapping[str, str] = {kind: text for _, kinds in FAMILIES for kind, text in kinds.items()}

HEAD = """# Events
Written by `python -m crm_bridge.outbox.event_kinds > docs/events.md`; a test holds it against the code.

Each event is one entry of the journal: `{id, at, kind, actor, client, agent, case_id, call_id, data}`. `GET /v1/events` streams
them, `GET /v1/journal` lists them, and a webhook is sent those that it asked for ([webhooks.md](webhooks.md)) by kind, by
family (`call.*`) or all (`*`). What is named below is in `data`.
"""


def require(pattern: str) -> str:
    """A kind, a family or `*` that exists. Raises ValueError that names what is meant."""
    if pattern == FINISHED:
        raise ValueError("must be note.written: under that name a finished note is told")
    family = pattern[:-1] if pattern.endswith(".*") else None
    known = (
        pattern in KINDS or pattern == "*" or (family is not None and any(kind.startswith(family) for kind in KINDS))
    )
    if not known:
        raise ValueError("must be a kind of docs/events.md such as call.ended, a family such as call.*, or *")
    return pattern


def document() -> str:
    """docs/events.md."""
    tables = [
        f"\n## {title}\n| kind | what happened |\n|-|-|\n"
        + "".join(f"| `{kind}` | {text} |\n" for kind, text in kinds.items())
        for title, kinds in FAMILIES
    ]
    return HEAD + "".join(tables)


if __name__ == "__main__":
    print(document(), end="")
