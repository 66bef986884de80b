"""The audit log: what it records, and how anyone can prove it."""
