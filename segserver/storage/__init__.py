"""Where things are kept. Everything below this room is SQL; nothing above it is."""
