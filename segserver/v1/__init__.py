"""Generated from protos/segserver/v1: the messages and services of the API."""
