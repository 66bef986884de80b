"""How a worker is: what does not work now, and its numbers."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

from segserver import __version__
from segserver.audit.log import read_head
from segserver.errors import SegserverError
from segserver.observe.snapshot import Family, Sample, Snapshot, Trouble, counter, distribution, gauge
from segserver.storage import catalogs
from segserver.storage import log as rows
from segserver.storage.catalogs import CatalogRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segserver.engine.build import Engine
    from segserver.storage.contract import Connection
    from segserver.strategies.isolation.supervisor import HostStats

STORE, CATALOG, LOG, KEYS = "store", "catalog", "log", "keys"
COMPONENTS = (STORE, CATALOG, LOG, KEYS)


class Condition:
    """Looks after one engine, on its event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._start_us = engine.now_us()
        self._log = 0, 0
        """How many entries the log has, and how many of them are signed."""
        self.troubles: Sequence[Trouble] = ()
        """What did not work at the last look."""

    async def look(self) -> Sequence[Trouble]:
        """Follows the catalog, tries the store again where it failed, and returns what does not work."""
        engine = self._engine
        found: list[Trouble] = []
        try:
            row, self._log = await engine.store.reads.read(_newest)
            if engine.store.writer.trouble is not None:
                await engine.store.writer.write(_touch)
        except Exception as error:  # the driver's own errors are among them
            found.append(_trouble(STORE, error))
        else:
            try:
                await engine.catalogs.follow(row)
            except Exception as error:  # whatever is wrong with a catalog, the one of before serves on
                found.append(_trouble(CATALOG, error))
        others = {
            CATALOG: engine.catalogs.trouble,
            LOG: engine.audit.notary.trouble,
            KEYS: engine.upkeep.trouble,
        }
        found += [_trouble(component, error) for component, error in others.items() if error is not None]
        self.troubles = found
        return found

    def snapshot(self, worker: int, calls_in_progress: int) -> Snapshot:
        """The numbers as they are now."""
        engine = self._engine
        row = engine.catalogs.serving.row
        return Snapshot(
            worker=worker,
            pid=os.getpid(),
            version=__version__,
            start_us=self._start_us,
            time_us=engine.now_us(),
            catalog_version=row.version,
            catalog_digest=row.digest,
            troubles=self.troubles,
            families=[
                *self._answers(calls_in_progress),
                *self._store(),
                *self._plugins(),
                *self._process(),
            ],
        )

    def _answers(self, calls_in_progress: int) -> list[Family]:
        """Of calls and evaluations."""
        counts = self._engine.counts
        return [
            Family(
                "segserver_calls",
                "counter",
                "Ended calls.",
                [
                    Sample({"method": method, "status": status}, number)
                    for (method, status), number in sorted(counts.calls.items())
                ],
            ),
            Family(
                "segserver_call_duration_seconds",
                "histogram",
                "How long calls took in the server.",
                [
                    distribution({"method": method}, timing)
                    for method, timing in sorted(counts.durations.items())
                ],
            ),
            gauge("segserver_calls_in_progress", "Calls in progress.", calls_in_progress),
            counter(
                "segserver_evaluations", "Evaluations, by what the gate let through.", "gate", counts.gate
            ),
            counter("segserver_outcomes", "Answers for one segment.", "outcome", counts.outcomes),
            counter(
                "segserver_withheld",
                "Evaluations from which something was withheld, by reason.",
                "reason",
                counts.withheld,
            ),
        ]

    def _store(self) -> list[Family]:
        """Of the store, the log and the keys."""
        engine = self._engine
        commits = engine.store.writer.commits
        families = [
            gauge(
                "segserver_write_queue_units",
                "Units of work that wait for the writer.",
                engine.store.writer.queued,
            ),
            Family(
                "segserver_commit_duration_seconds",
                "histogram",
                "How long transactions took, to the disk.",
                [distribution({}, commits.timing)],
            ),
            Family(
                "segserver_commit_units",
                "counter",
                "Units of work that are durable.",
                [Sample(value=commits.units)],
            ),
            Family(
                "segserver_commit_failures",
                "counter",
                "Transactions that failed.",
                [Sample(value=commits.failures)],
            ),
            Family(
                "segserver_trouble",
                "gauge",
                "1 for what does not work now.",
                [
                    Sample({"component": name}, float(any(t.component == name for t in self.troubles)))
                    for name in COMPONENTS
                ],
            ),
        ]
        size, signed = self._log
        families += [
            gauge("segserver_log_entries", "Entries of the audit log.", size),
            gauge(
                "segserver_log_unsigned_entries",
                "Entries after the last signed checkpoint.",
                max(0, size - signed),
            ),
        ]
        if (created_us := engine.upkeep.key_created_us) is not None:
            age_s = (engine.now_us() - created_us) / 1e6
            families.append(
                gauge("segserver_key_age_seconds", "Age of the current key-encryption key.", age_s)
            )
        return families

    def _plugins(self) -> list[Family]:
        """Of strategies' code, and of the plugin host processes where some of it runs."""
        failures = {name: found.count for name, found in self._engine.host.failures.items()}
        families = [
            counter(
                "segserver_strategy_failures",
                "Failures of strategies' code, by trait or function.",
                "name",
                failures,
            )
        ]
        isolation = self._engine.installed.isolation
        hosts = () if isolation is None else isolation.stats()
        if not hosts:
            return families

        def of_hosts(name: str, text: str, value: Callable[[HostStats], float]) -> Family:
            return counter(name, text, "distribution", {host.distribution: value(host) for host in hosts})

        states = [
            Sample({"distribution": host.distribution, "state": state}, float(host.state == state))
            for host in hosts
            for state in ("running", "idle", "starting", "half-open", "open")
        ]
        return [
            *families,
            Family("segserver_plugin_host_state", "gauge", "1 for the state that it is in.", states),
            of_hosts("segserver_plugin_host_calls", "Calls into it.", lambda h: h.calls),
            of_hosts("segserver_plugin_host_seconds", "What they took in all.", lambda h: h.call_s),
            of_hosts("segserver_plugin_host_failures", "How often it hung or ended.", lambda h: h.failures),
            of_hosts("segserver_plugin_host_refused", "Calls that were not made.", lambda h: h.refused),
            of_hosts("segserver_plugin_host_starts", "How often it was started.", lambda h: h.starts),
            of_hosts("segserver_breaker_opened", "How often its breaker opened.", lambda h: h.opened),
        ]

    def _process(self) -> list[Family]:
        """Of the process."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = Sample(value=used.ru_utime + used.ru_stime)
        return [
            Family("segserver_cpu_seconds", "counter", "Processor time.", [cpu]),
            gauge("segserver_memory_bytes", "Resident memory.", resident_bytes()),
            gauge("segserver_start_time_seconds", "When it started, since 1970.", self._start_us / 1e6),
            gauge(
                "segserver_catalog_version",
                "The version of the catalog that serves.",
                self._engine.catalogs.serving.row.version,
            ),
        ]


def resident_bytes() -> int:
    """The resident memory of this process; where the system does not tell, the most that it ever had."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _newest(connection: Connection) -> tuple[CatalogRow | None, tuple[int, int]]:
    """What a look reads of the store, which thereby shows that it can be read."""
    return catalogs.latest(connection), (read_head(connection)[0], rows.checkpoint_size(connection))


def _touch(connection: Connection) -> None:
    """The smallest write that reaches the disk."""
    connection.execute("UPDATE log_head SET size = size")


def _trouble(component: str, error: Exception) -> Trouble:
    if isinstance(error, SegserverError):
        return Trouble(component, error.reason, error.message)
    return Trouble(
        component, "INTERNAL" if component == CATALOG else "STORE_UNAVAILABLE", type(error).__name__
    )
