"""Fitting a strategy to the stored population: what it learns of everybody who may be seen for a purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import polars as pl

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog.names import close_to
from segserver.engine.answers import new_evaluation_id
from segserver.engine.behavior import Behavior, Needs
from segserver.engine.catalogs import Catalogs
from segserver.engine.population import column
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied
from segserver.model import Caller
from segserver.privacy.vault import Subject, Vault
from segserver.rules.times import to_datetime
from segserver.storage.contract import Connection
from segserver.storage.subjects import Subjects
from segserver.strategies import fits
from segserver.strategies.api import Fit, Settings


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a strategy learned: ``fit`` is what the catalog keeps under ``fits: <strategy>:``."""

    strategy: str
    fit: dict[str, Any]
    customers: int


class Fitter:
    """Fits strategies. Who has a value that may not be seen is not among those a strategy learns of."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        behavior: Behavior,
        catalogs: Catalogs,
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._vault = vault
        self._behavior = behavior
        self._catalogs = catalogs
        self._now_us = now_us

    async def fit(
        self, caller: Caller, strategy: str, purpose: str, at_us: int | None = None, seed: int = 0
    ) -> Fitted:
        """The fit of a strategy that the serving catalog uses, as of ``at_us`` (``None``: now).

        Raises :class:`PermissionDenied` for a purpose that the caller may not use, :class:`NotFound` for an
        unknown purpose or strategy, :class:`FailedPrecondition` for a strategy that learns nothing, one whose
        values may not be seen for the purpose, too few customers, and what the strategy can't fit."""
        if not caller.may_use(purpose):
            raise PermissionDenied(
                f"{caller.name} may not ask for this purpose",
                reason="PURPOSE_NOT_PERMITTED",
                metadata={"purpose": purpose},
            )
        serving = self._catalogs.serving
        serving.catalog.purpose(purpose)
        fit, settings = self._of(serving, strategy)
        now_us = self._now_us()
        moment = now_us if at_us is None else at_us
        table = await asyncio.to_thread(self._table, caller, serving, fit, purpose, now_us, moment)
        await self._store.writer.write(
            None, (_entry(caller, serving, strategy, purpose, moment, table.height, now_us),)
        )
        if table.height < fit.customers_min:
            raise FailedPrecondition(
                f"{strategy} learns of {fit.customers_min} customers or more; for {purpose}, as of this "
                f"date, {table.height} may be seen and have all the values",
                reason="FIT_TOO_FEW_CUSTOMERS",
            )
        try:
            learned = await asyncio.to_thread(fit.function, settings, table, seed)
        except ValueError as error:
            raise FailedPrecondition(f"{strategy} can't be fitted: {error}", reason="FIT_FAILED") from error
        said = {
            "date": to_datetime(moment).date().isoformat(),
            "customers": table.height,
            "purpose": purpose,
            "seed": seed,
        }
        return Fitted(strategy, fits.sealed({**said, **learned}), table.height)

    def _of(self, serving: Serving, name: str) -> tuple[Fit, Settings]:
        used = serving.catalog.strategies.get(name)
        installed = self._catalogs.installed.strategy(name)
        if used is None or installed is None:
            raise NotFound(
                f"the catalog uses no strategy {name!r}",
                reason="STRATEGY_NOT_FOUND",
                near=close_to(name, serving.catalog.strategies),
            )
        fit = installed.strategy.fit
        if fit is None:
            raise FailedPrecondition(f"{name} learns nothing of customers", reason="STRATEGY_HAS_NO_FIT")
        return fit, installed.resolve(used.given).settings

    def _table(
        self, caller: Caller, serving: Serving, fit: Fit, purpose: str, now_us: int, at_us: int
    ) -> pl.DataFrame:
        """One row for each customer whose values may all be seen and are not all missing. For a thread of its
        own."""
        types = serving.catalog.input_types
        if strangers := sorted(set(fit.reads) - types.keys()):
            raise InvalidInput(
                f"the catalog does not have {', '.join(strangers)}, which the strategy learns of",
                reason="FIT_INPUT_MISSING",
            )
        with closing(self._store.connect()) as connection:
            rows = list(self._rows(connection, caller, serving, fit, purpose, now_us, at_us))
        return pl.DataFrame(
            [column(name, [row.get(name) for row in rows], types[name]) for name in fit.reads]
        )

    def _rows(
        self,
        connection: Connection,
        caller: Caller,
        serving: Serving,
        fit: Fit,
        purpose: str,
        now_us: int,
        at_us: int,
    ) -> Iterator[dict[str, Any]]:
        needs = Needs(serving.catalog, fit.reads)
        for page in Subjects().pages(connection):
            for row in page:
                subject = self._vault.open(row)
                values = self._seen(connection, subject, caller, serving, fit, needs, purpose, now_us, at_us)
                if values:
                    yield values

    def _seen(
        self,
        connection: Connection,
        subject: Subject,
        caller: Caller,
        serving: Serving,
        fit: Fit,
        needs: Needs,
        purpose: str,
        now_us: int,
        at_us: int,
    ) -> dict[str, Any]:
        """The values of one customer; none when one of them may not be seen."""
        gate = serving.gate
        current = gate.current(subject.profile, now_us)
        mask = gate.mask(purpose, subject.state, caller, now_us, current)
        if mask.stopped is not None or not mask.visible.issuperset(fit.reads):
            return {}
        computed = self._behavior.values(
            connection, subject, needs, needs.names, now_us, at_us, needs.zone(current, mask)
        )
        given = {name: current[name] for name in fit.reads if name in current}
        return {**given, **computed}


def _entry(
    caller: Caller, serving: Serving, strategy: str, purpose: str, at_us: int, size: int, now_us: int
) -> bytes:
    return encode(
        Entry(
            time=timestamp_us(now_us),
            kind=Kind.BATCH_EVALUATION,
            caller=caller.name,
            request_id=new_evaluation_id(now_us),
            purpose=purpose,
            catalog=serving.catalog.digest,
            subjects=size,
            details={"use": "strategy fit", "strategy": strategy, "as_of": timestamp_us(at_us)},
        )
    )
