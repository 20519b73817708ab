"""How fast and how right the comparison is, beside what others offer. Never deployed."""
