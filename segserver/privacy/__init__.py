"""The privacy room: pseudonyms, sealed profiles, consent, and the gate that every value passes."""
