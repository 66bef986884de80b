"""What subjects did, and when: events, windows that end at ``now``, and the attributes computed from them."""
