"""Generated from protos/segserver/rules/v1: the part of Google's checked expression that we read."""
