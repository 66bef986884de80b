"""Benchmarks: speeds beside what they are compared with, in one run."""
