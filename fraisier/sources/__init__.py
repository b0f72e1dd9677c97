"""What wakes the daemon: polls, edited configuration, requests, services that end.

A source only wakes; what is desired and observed is read afresh afterwards (law 1). The sources
know nothing of each other.
"""
