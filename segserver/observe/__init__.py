"""What a server counts of itself: plain integers where things happen, gathered into snapshots, and shown to
Prometheus, OpenTelemetry and ``segserver status``.

Nothing here knows of a person: names of methods, callers, purposes' outcomes and reason codes only."""
