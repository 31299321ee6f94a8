"""Every error this package raises on purpose.

LlmbenchError
├── ConfigError                  the configuration, a suite file, a marker or an option is wrong
├── BaselineError                a baseline is corrupt, newer than this version, or can't be written
├── EngineError                  an engine said no
│   ├── EngineNotInstalledError  its library is absent; carries the extra to install
│   ├── LoadError                the model could not be loaded
│   └── CaseError                this one case can't run; the variant goes on
│       └── OtherTokensError     what was given has other tokens under this variant
├── WorkerError                  the process of a variant is lost, its remaining cases with it
│   ├── WorkerCrashedError
│   └── WorkerTimeoutError
├── SimilarityError              texts could not be embedded, so that similarity is not known
├── ScoringError                 an answer could not be scored: a scorer is broken, or not safe
└── NotMeasuredError             a metric was asked for that this case does not have

A message is one sentence or two: what was asked, what was found, what to type.
"""

from __future__ import annotations


class LlmbenchError(Exception):
    """Base of all errors of this package."""


class ConfigError(LlmbenchError):
    """What the user configured is wrong; names file, key and remedy."""


class BaselineError(LlmbenchError):
    """A stored baseline is unreadable, newer than this version, or can't be written."""


class EngineError(LlmbenchError):
    """An engine said no."""


class EngineNotInstalledError(EngineError):
    """The engine's library is not installed; the message carries the line to type."""


class LoadError(EngineError):
    """The model could not be loaded: the variant has no results."""


class CaseError(EngineError):
    """One case can't run (its prompt is too long, say); the variant goes on."""


class OtherTokensError(CaseError):
    """Prompt or text of the reference have other tokens under this variant: nothing to compare."""


class WorkerError(LlmbenchError):
    """A variant's process is lost, and the variant's remaining cases with it."""


class WorkerCrashedError(WorkerError):
    """The process died; the message names the signal or exit status."""


class WorkerTimeoutError(WorkerError):
    """The process did not answer within the time-out and was killed."""


class SimilarityError(LlmbenchError):
    """Texts could not be embedded: the model can't be loaded, or its process is lost."""


class ScoringError(LlmbenchError):
    """An answer could not be scored: its scorer is broken, or nothing shuts in code here."""


class NotMeasuredError(LlmbenchError, AttributeError):
    """A metric was asked for that was not measured; says why where the reason is known."""
