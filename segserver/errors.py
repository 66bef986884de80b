"""Every error that segserver raises on purpose, in one tree that knows no gRPC.

::

    SegserverError
    ├── InvalidInput          the request or the data is wrong; the caller can repair it
    │   ├── RuleError         a CEL expression that does not compile, with its line and column
    │   └── CatalogError      a catalog with problems, all of them at once
    ├── NotFound              a named thing does not exist
    ├── Conflict              the thing exists already, or changed meanwhile
    ├── PermissionDenied      the caller is known and may not
    ├── Unauthenticated       the caller is not known
    ├── FailedPrecondition    the system is not in the state that the call needs
    ├── LimitExceeded         the server does as much as it may at once; its limit is in the metadata
    ├── Unavailable           store, keys or log can't be used now; trying later may help
    ├── DeadlineExceeded      no answer came in time; whether the call took effect is not known
    └── IntegrityError        a proof, signature, seal or digest does not verify

The edge (``rpc/status.py``) turns each into a status with ``ErrorInfo`` once. A message never holds a
customer's data: it names fields, types, limits and places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of a request: where it is, what is wrong, how to repair it."""

    field: str
    description: str


class SegserverError(Exception):
    """The root of the tree.

    ``reason`` is a stable UPPER_SNAKE code for programs; the message is for people.
    """

    reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.violations = tuple(violations)


class InvalidInput(SegserverError):
    """The request or the data is wrong, and sending it again unchanged fails again."""

    reason = "INVALID_INPUT"

    @classmethod
    def of(cls, field: str, description: str, *, reason: str | None = None) -> InvalidInput:
        """An error about one field."""
        return cls(f"{field}: {description}", reason=reason, violations=[Violation(field, description)])

    @classmethod
    def beyond(cls, field: str, limit: str, value: int) -> InvalidInput:
        """An error about a field that is over a limit; the metadata name the limit and its value."""
        description = f"is beyond the limit of {value} ({limit})"
        return cls(
            f"{field}: {description}",
            reason="LIMIT_EXCEEDED",
            metadata={"limit": limit.removeprefix("limits."), "value": str(value)},
            violations=[Violation(field, description)],
        )


class RuleError(InvalidInput):
    """A CEL expression that can't be compiled, with the place (1-based line and column)."""

    reason = "RULE_INVALID"

    def __init__(self, message: str, *, line: int = 1, column: int = 1, excerpt: str = "") -> None:
        super().__init__(message, metadata={"line": str(line), "column": str(column)})
        self.line = line
        self.column = column
        self.excerpt = excerpt


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a catalog: the file and line, the field, and what to do about it."""

    message: str
    file: str = ""
    line: int = 0
    field: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else ""
        name = f"{self.field}: " if self.field else ""
        return f"{place}{name}{self.message}"


class CatalogError(InvalidInput):
    """A catalog that can't be used; ``problems`` holds everything that was found, not only the first."""

    reason = "CATALOG_INVALID"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"the catalog has {count} problem{'' if count == 1 else 's'}"
        super().__init__(
            "\n".join([head, *(f"  {problem}" for problem in self.problems)]),
            violations=[Violation(p.field or p.file or "catalog", str(p)) for p in self.problems],
        )


class NotFound(SegserverError):
    """A named thing does not exist; ``near`` holds existing names that look alike."""

    reason = "NOT_FOUND"

    def __init__(self, message: str, *, reason: str | None = None, near: Sequence[str] = ()) -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(message + hint, reason=reason, metadata={"near": ",".join(near)} if near else None)


class Conflict(SegserverError):
    """The thing exists already with other content, or changed meanwhile."""

    reason = "CONFLICT"


class PermissionDenied(SegserverError):
    """The caller is known, and may not do this."""

    reason = "PERMISSION_DENIED"


class Unauthenticated(SegserverError):
    """The caller is not known."""

    reason = "UNAUTHENTICATED"


class FailedPrecondition(SegserverError):
    """The system is not in the state that the call needs; the message says what to do first."""

    reason = "FAILED_PRECONDITION"


class LimitExceeded(SegserverError):
    """The server does as much as it may at once: the same request may pass later. The metadata names the
    setting and its value, ``retry_after_s`` says when to try again.

    A request that is too large by itself is :class:`InvalidInput`, with the reason ``LIMIT_EXCEEDED``.
    """

    reason = "RESOURCE_EXHAUSTED"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after_s = retry_after_s


class Unavailable(SegserverError):
    """The store, the keys or the log can't be used now. Nothing was written; trying later may help."""

    reason = "UNAVAILABLE"


class DeadlineExceeded(SegserverError):
    """No answer came in time. Whether the call took effect is not known."""

    reason = "DEADLINE_EXCEEDED"


class IntegrityError(SegserverError):
    """A proof, a signature, a seal or a digest does not verify."""

    reason = "INTEGRITY"
