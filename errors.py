"""The one error tree. What is raised anywhere in the product is one of these; HTTP knows them in api/errors.py.

DriftError                     message: what went wrong and what to do, fit to be shown to the caller
├── Invalid                    the caller's input is wrong; `field` names it
├── NotFound                   absent, or not the caller's to see: one answer for both
├── Unauthenticated            nobody is signed in
├── Forbidden                  signed in, a member, but the role is too low
├── Conflict                   the state does not allow it
│   ├── Stale                  somebody else changed it first (ETag)
│   └── OverQuota              the platform operator allows the tenant no more of it
├── PreconditionRequired       an edit came without If-Match
├── Throttled                  a service asks to wait; `retry_after` in seconds
│   └── OverDailyQuota         the tenant's quota of today is used up
├── Unreadable                 a scope of Azure could not be read; `scope` and `permission` name what is missing
├── Refused                    Entra ID or Azure refused the tenant's credential; the message is theirs
├── Unavailable                a service we need does not answer
│   └── VersionRefused         it does not know the API version that it was asked with, or not any more
└── Corrupt                    stored bytes are not what was written
"""

from __future__ import annotations


class DriftError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(DriftError):
    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class NotFound(DriftError):
    pass


class Unauthenticated(DriftError):
    pass


class Forbidden(DriftError):
    pass


class Conflict(DriftError):
    pass


class Stale(Conflict):
    pass


class OverQuota(Conflict):
    pass


class PreconditionRequired(DriftError):
    pass


class Throttled(DriftError):
    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OverDailyQuota(Throttled):
    pass


class Unreadable(DriftError):
    def __init__(self, message: str, *, scope: str, permission: str = "") -> None:
        super().__init__(message)
        self.scope = scope
        self.permission = permission


class Refused(DriftError):
    pass


class Unavailable(DriftError):
    pass


class VersionRefused(Unavailable):
    pass


class Corrupt(DriftError):
    pass
