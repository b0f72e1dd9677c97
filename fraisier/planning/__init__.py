"""Pure decisions: order, gates, back-off, the health gate, and what a plan looks like as a document.

No clock, no I/O: the moment is handed in.
"""
