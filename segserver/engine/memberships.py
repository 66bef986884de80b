"""Who is in which segment, kept for the purposes that ask for it: what a change of a subject means at once.

A membership is kept only where its purpose may go on for the subject. A decision that stops the purpose ends
them in the transaction that records it; everything else marks the subject, to be evaluated again soon
(:mod:`segserver.engine.refresh`).
"""

from __future__ import annotations

from collections.abc import Callable

from segserver.engine.serving import Serving
from segserver.model import Caller
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.vault import Subject
from segserver.storage.contract import Connection
from segserver.storage.memberships import Memberships
from segserver.storage.subjects import Subjects

KEEPER = Caller("segserver/memberships", frozenset(), frozenset({"*"}))
"""In whose name memberships are evaluated: the gate decides by the purpose and the subject alone."""


def kept_purposes(serving: Serving) -> list[str]:
    """The purposes whose memberships are kept, sorted."""
    return [name for name, purpose in serving.catalog.purposes.items() if purpose.memberships]


class MembershipKeeper:
    """What happens to memberships within the transactions of others."""

    def __init__(
        self,
        rows: Memberships,
        pseudonyms: Pseudonyms,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
    ) -> None:
        self._rows = rows
        self._pseudonyms = pseudonyms
        self._serving = serving
        self._now_us = now_us

    def touched(self, connection: Connection, subject: Subject, now_us: int, what: str) -> None:
        """A subject has changed: it is to be evaluated again. A decision that stops a purpose ends what the
        subject was in for it.
        """
        serving = self._serving()
        purposes = kept_purposes(serving)
        if not purposes:
            return
        key = subject.subject_key
        self._rows.mark(connection, key, now_us, what)
        if what != "DECISION":
            return
        current = serving.gate.current(subject.profile, now_us)
        for purpose in purposes:
            mask = serving.gate.mask(purpose, subject.state, KEEPER, now_us, current)
            if mask.stopped is not None:
                segments = [row.segment for row in self._rows.of(connection, key) if row.purpose == purpose]
                self._rows.leave(connection, key, purpose, segments, now_us, str(mask.stopped))

    def erase(self, connection: Connection, subject_key: bytes) -> int:
        """Forgets what a subject was in; how many segments. Whoever was told of such members is left word, by
        the token under which they know it (GDPR art. 19).
        """
        row = Subjects().get(connection, subject_key)
        tokens = (
            []
            if row is None
            else [
                (recipient, purpose, self._pseudonyms.recipient_token(subject_key, row.salt, recipient))
                for recipient, purpose in self._rows.readers(connection)
            ]
        )
        return self._rows.erase(connection, subject_key, tokens, self._now_us())
