"""Refusals in the shape that OpenAI's clients know."""

from __future__ import annotations

from typing import Any

from tunesmith.errors import TunesmithError

#: The word for each status that clients map to an exception of their own.
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
#: Errors that say that nothing can be written down now.
UNWRITABLE = ("disk_full", "state_in_use", "not_writable", "os_error")
#: Seconds after which a client may try that again.
RETRY_SECONDS = 30.0


class Refusal(Exception):
    """A request that is not answered: ``status`` of HTTP, a stable ``code``, and what is wrong in words.

    ``param``: the field of the request. ``retry_after``: seconds.
    """

    def __init__(
        self, status: int, code: str, message: str, *, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after

    @property
    def envelope(self) -> dict[str, Any]:
        kind = TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Whole seconds, rounded up: that is all that the header can say."""
        return {} if self.retry_after is None else {"retry-after": str(max(1, -int(-self.retry_after // 1)))}


def refusal_of(error: BaseException) -> Refusal:
    """An error as a refusal; what is wrong with the server itself is told to its owner, not to the client."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, TunesmithError) and error.code in UNWRITABLE:
        return not_kept()
    if isinstance(error, TunesmithError) and error.exit_code == 2:
        fix = f" ({error.fix})" if error.fix else ""
        return Refusal(400, error.code, f"{error.what}{fix}")
    return Refusal(500, "internal_error", "the server failed at this request; its owner can see why in its log")


def not_kept() -> Refusal:
    """What must be on disk before the client is answered cannot be written there."""
    what = "the server cannot keep this now; its owner can see why in its log"
    return Refusal(503, "not_kept", what, retry_after=RETRY_SECONDS)
