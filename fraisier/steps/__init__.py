"""One file per kind of change.

A step is a frozen value that says what it would do (`summary`), does it through the host's
Protocols (`apply`), and may be applied twice. What it needs is handed to it by the service type
that plans it; what it cannot know before (the runtime kept on the machine, say) it reads when it
is applied.
"""
