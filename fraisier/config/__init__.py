"""`fraises.yaml` to the model: all problems at once, each with its place.

Pure: what the machine knows (variables, files, host name) comes in through `Lookup`; the only file
read is the schema that ships with the package.
"""

from __future__ import annotations

from .load import load
from .ports import Loaded, Lookup
from .problems import Problem, SourceFile
from .schema import schema
from .starter import Guess, starter

__all__ = ["Guess", "Loaded", "Lookup", "Problem", "SourceFile", "load", "schema", "starter"]
