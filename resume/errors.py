"""Every error that resume raises, each with the exit code that the command line uses for it."""

from __future__ import annotations


class ResumeError(Exception):
    """Something that resume was asked for could not be done; the text says what is still safe."""

    exit_code = 1


class ConfigError(ResumeError, ValueError):
    """A parameter, or the place where a call stands, cannot work; nothing was read or written."""

    exit_code = 2


class CaptureError(ResumeError):
    """The state of the program could not be captured; earlier generations are untouched."""

    exit_code = 10


class UnpicklableError(CaptureError):
    """A variable holds something that no copy can stand for (a socket, a running thread)."""


class UnsupportedCodeError(CaptureError):
    """A construct of the program cannot be captured where it stands."""


class StoreError(ResumeError):
    """The disk refused (full, read-only, gone); the newest whole generation is as it was."""

    exit_code = 30


class CheckpointBusyError(StoreError, TimeoutError):
    """Another process, thread or call holds the checkpoint."""

    exit_code = 31


class IntegrityError(StoreError):
    """Bytes on disk are not the bytes that were written, and no whole generation is left."""

    exit_code = 32


class SchemaVersionError(StoreError):
    """The file was written in a format that this version does not read."""

    exit_code = 33


class TrustError(ResumeError):
    """The file may have been written by somebody else; nothing of it was unpickled."""

    exit_code = 40


class RestoreError(ResumeError):
    """The generation is whole, but the program could not be brought back to it."""

    exit_code = 50


class CodeChangedError(RestoreError):
    """The function's loops are not those of the saved state; the text shows the difference."""


class ConfigChangedError(RestoreError):
    """The `config=` of this run is not the saved one; the text shows the difference."""


class SweepError(ResumeError):
    """A sweep could not be continued or recorded."""

    exit_code = 60


class Preempted(SystemExit):
    """The program was asked to leave, and its state is saved: exit status 143.

    A way to leave and no failure: `except Exception` must not catch it.
    """

    def __init__(self, code: int = 143) -> None:
        super().__init__(code)


class ResumeWarning(UserWarning):
    """The program goes on, but something is not as it looks: the text names it and the remedy."""
