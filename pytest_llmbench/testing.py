"""For tests: of engines, of code that uses this package, and of this package itself.

The scripted engine (``engine = "scripted"``) plays a script instead of a model. Its options are
:class:`ScriptedOptions`: the text, the simulated or real time of a token, and every way to fail.
"""

from pytest_llmbench.engines.protocol import Encoded, Engine, Generation, Stamps
from pytest_llmbench.engines.scripted import ScriptedEngine, ScriptedOptions

__all__ = ["Encoded", "Engine", "Generation", "ScriptedEngine", "ScriptedOptions", "Stamps"]
