"""Faults: exceptions that carry a problem code and an HTTP status (RFC 9457). Refusals by rule are values, not faults."""

from typing import Any, ClassVar


class Fault(Exception):
    """A fault told to the caller as `application/problem+json`.

    `detail` is a sentence for the person who reads it; `members` are extra problem members (JSON values).
    """

    code: ClassVar[str] = "fault"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members


class NotFound(Fault):
    """The thing named does not exist, or is not the caller's to see."""

    code = "not-found"
    status = 404
    title = "Not found"


class Invalid(Fault):
    """Bad input. `errors` lists `{"field", "message"}` for every field that must change."""

    code = "validation"
    status = 422
    title = "Invalid input"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None, **members: Any) -> None:
        super().__init__(detail, errors=errors or [], **members)


class Forbidden(Fault):
    """The caller is known but may not do this."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class Unauthorized(Fault):
    """The caller is not known: no, expired or revoked credentials."""

    code = "unauthorized"
    status = 401
    title = "Log in first"


class Conflict(Fault):
    """The state of the thing does not allow this now."""

    code = "conflict"
    status = 409
    title = "Conflict"
