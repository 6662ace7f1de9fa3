"""The named errors of this package. Catch `ActiveMattingError` for all of them."""


class ActiveMattingError(Exception):
    """Anything this package refuses; its text says what was given and what is allowed."""


class InvalidArrayError(ActiveMattingError, ValueError):
    """An array has the wrong shape, dtype or range."""


class InvalidArgumentError(ActiveMattingError, ValueError):
    """A parameter lies outside what is allowed."""


class UnknownNameError(ActiveMattingError, ValueError):
    """A solver, data source, annotator or agent was asked for by a name that is not registered."""


class MemoryLimitError(ActiveMattingError, ValueError):
    """Work would take more memory than it is allowed to; the text tells the limit."""


class FileError(ActiveMattingError, OSError):
    """A file is missing, unreadable, not what it should be, or cannot be written."""


class CheckpointError(FileError):
    """A file's weights are not those of the network they are meant for."""


class SizeMismatchError(FileError):
    """Two pictures that belong together have different sizes."""


class ConvergenceError(ActiveMattingError, RuntimeError):
    """A solution is not accurate: an iterative solver gave up, or rounding spoilt a direct one."""


class SolverFailedError(ActiveMattingError, RuntimeError):
    """A solver raised in the middle of an episode; the text names image and query, the cause is what it raised."""


class WorkerLostError(ActiveMattingError, RuntimeError):
    """A process that computed for this one was ended from outside."""


class MissingPackageError(ActiveMattingError, ImportError):
    """Something needs a package that is not installed; the text names what to install."""
