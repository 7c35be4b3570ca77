"""What may be written to AMI: a line break in a value is a second header, `,` `&` `${` a second command.

Patterns allow, never forbid: what is not listed does not pass.
https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI/
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from config.errors import Invalid

Fields = Mapping[str, str | Sequence[str]]
"""Headers of an action; a sequence gives the header once per item."""

MAX_LINE = 1000
"""Bytes of one header line: Asterisk refuses a message with a line of more than 1022 ("line too long")."""
MAX_HEADERS = 120
"""Headers of one action: Asterisk drops what goes beyond 128 (`AST_MAX_MANHEADERS`)."""

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\([A-Za-z0-9_/.;@-]+\))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_FUNCTIONS = r"CALLERID|CHANNEL|DB|DEVICE_STATE|GLOBAL|MIXMONITOR|PJSIP_(?:AOR|CONTACT|ENDPOINT|HEADER)"
_VARIABLE = rf"(?:_{{0,2}}[A-Za-z][A-Za-z0-9_]*|(?:{_FUNCTIONS})\([A-Za-z0-9_,:./@+-]*\))"
_VALUE = r"[\w .:;@/+*#=<>~-]*"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,79}")
_EXTENSION = re.compile(r"[A-Za-z0-9_.+*#-]{1,79}")
_CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9]{1,19}/[A-Za-z0-9_.+*#@/:-]{1,150}(;[12])?")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}(;[12])?")
_ASSIGNMENT = re.compile(rf"{_VARIABLE}(?:={_VALUE})?")
_FILE = re.compile(r"(?!.*\.\.)[A-Za-z0-9_./+@-]{1,250}")
_CALLER_ID = re.compile(r'("[\w .@-]{0,60}" )?<\+?[0-9*#]{0,32}>')

_DIALPLAN_BOUND = {
    "account": _NAME,
    "callerid": _CALLER_ID,
    "channel": re.compile(rf"{_CHANNEL.pattern}|{_CHANNEL_ID.pattern}"),
    "channelid": _CHANNEL_ID,
    "context": _NAME,
    "exten": _EXTENSION,
    "file": _FILE,
    "options": re.compile(r"[A-Za-z0-9_./+@()-]*"),
    "otherchannelid": _CHANNEL_ID,
    "priority": re.compile(r"[A-Za-z0-9_-]{1,40}"),
    "value": re.compile(_VALUE),
    "variable": _ASSIGNMENT,
    "variables": re.compile(rf"{_VARIABLE}(?:,{_VARIABLE})*"),
}
"""Headers that end in the dialplan or name a channel, whatever the action. A `Channel` that starts with `/` would be a
regular expression (Hangup hangs up all that match), and after a `,` in MixMonitor's `File` comes a program to run."""


def bad(header: str, message: str) -> Invalid:
    """The fault for a value that must not reach the PBX. The value itself is not repeated: it may be a secret."""
    return Invalid(f"{header} {message}", [{"field": header, "message": message}])


def checked_headers(action: str, fields: Fields) -> dict[str, str | list[str]]:
    """The headers of an action, every one safe to write; raises `Invalid` otherwise."""
    if not _HEADER.fullmatch(action):
        raise bad("Action", "is not the name of one")
    headers: dict[str, str | list[str]] = {}
    seen = {"action", "actionid"}
    count = 2
    for name, given in fields.items():
        if name.lower() in seen or not _HEADER.fullmatch(name):
            raise bad("header", "is reserved, given twice or not a header name")
        seen.add(name.lower())
        values = [given] if isinstance(given, str) else list(given)
        count += len(values)
        for value in values:
            _check(action, name, value)
        headers[name] = values[0] if len(values) == 1 else values
    if count > MAX_HEADERS:
        raise bad(action, f"has {count} headers; one action carries at most {MAX_HEADERS}")
    return headers


def _check(action: str, name: str, value: str) -> None:
    if _CONTROL.search(value):
        raise bad(name, "holds a line break or another control character")
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        raise bad(name, "is not valid text") from None
    if len(name) + 2 + length > MAX_LINE:
        raise bad(name, f"is longer than {MAX_LINE} bytes")
    if name.lower() == "command" and action != "Command":
        raise bad(name, "would run a program on the PBX")
    pattern = _DIALPLAN_BOUND.get(re.sub(r"^extra|\d$", "", name.lower()))
    if pattern is not None and not pattern.fullmatch(value):
        raise bad(name, "holds a character that the dialplan would interpret")


def originate_fields(
    *,
    channel_id: str,
    endpoint: str,
    context: str,
    extension: str,
    variables: Mapping[str, str],
    caller_id: str,
    caller_name: str,
    timeout_s: float,
) -> Fields:
    """The headers of an asynchronous Originate into the dialplan; raises `Invalid` for a value that is not one."""
    if not _CHANNEL.fullmatch(endpoint):
        raise bad("endpoint", "is not TECHNOLOGY/name")
    if not 1 <= timeout_s <= 600:
        raise bad("timeout_s", "is not between 1 and 600 seconds")
    fields: dict[str, str | Sequence[str]] = {
        "Async": "true",
        "Channel": endpoint,
        "ChannelId": channel_id,
        "Context": context,
        "Exten": extension,
        "Priority": "1",
        "Timeout": str(int(timeout_s * 1000)),
        "Variable": list(_assignments(variables)),
    }
    if caller_id or caller_name:
        fields["CallerID"] = f'"{caller_name}" <{caller_id}>' if caller_name else f"<{caller_id}>"
    return fields


def _assignments(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if not re.fullmatch(_VARIABLE, name):
            raise bad("Variable", "has a name that is not one")
        yield f"{name}={value}"
