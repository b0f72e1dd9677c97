"""One file per type of fraise: how it looks at the machine, and its plan.

`registry` finds them; nothing else names a type.
"""
