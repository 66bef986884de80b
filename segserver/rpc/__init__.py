"""The door: who calls, may they, is the request sound; then the engine; then the answer as a message."""
