"""The composition root: wires the parts once, for the daemon and for a CLI that works without one."""
