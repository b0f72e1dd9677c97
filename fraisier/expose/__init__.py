"""What the daemon shows over HTTP. Its parts know nothing of each other."""
