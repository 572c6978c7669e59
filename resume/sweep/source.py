"""Where a sweep may go on from: a log that lies elsewhere, by its path or its address.

A source is looked at and never changed. What is at an address is fetched into a scratch folder
first, so that all that reads logs reads it. So is what somebody else may write to: what was looked
at and found to hold no pickle is what is taken in, whatever they do meanwhile.

Missing is one thing, and unreachable another: what is not there can be begun anew, what does not
answer may hold everything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resume.errors import ConfigError, IntegrityError, StoreError
from resume.store import files, trust
from resume.sweep.log import beside

SCHEMES = ("file", "http", "https")
TIMEOUT_S = 60.0
"""A server that says nothing for so long does not answer."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_MISSING = (404, 410)
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A log that lies elsewhere, to be read here."""

    log: Path
    shown: str
    """What people know it as."""
    doubt: str | None = None
    """Why nothing in it may be unpickled; then *log* is a copy of it."""

    def bring_results(self) -> None:
        """Have the large results beside the log, too.

        Raises:
            IntegrityError: They are missing.
            StoreError: They cannot be fetched.
        """
        if self.doubt is None:
            is_there = beside(self.log).exists()
        elif _scheme_of(self.shown) is not None:
            is_there = _fetched(_with_path(self.shown, ".results"), beside(self.log))
        else:
            is_there = _copied(beside(Path(self.shown)), beside(self.log))
        if not is_there:
            raise IntegrityError(
                f"{self.shown}.results is missing, and large results lie in it. Nothing was "
                "changed, and nothing was taken in. Put it beside the log, or leave the source out."
            )


def checked(given: str | os.PathLike[str]) -> str:
    """What `resume_from=` says, as text.

    Raises:
        ConfigError: It can name no source.
    """
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise ConfigError(f"resume_from={given!r}: give a path, or an address as text")
    text = os.fspath(given)
    if not text:
        raise ConfigError("resume_from='' names nothing: give a path or an address, or None")
    scheme = _scheme_of(text)
    if scheme is not None and scheme not in SCHEMES:
        listed = ", ".join(f"{one}://" for one in SCHEMES)
        raise ConfigError(
            f"resume_from={text!r}: nothing here reads {scheme}://. There are: a path, {listed}. "
            "Fetch the log and what lies beside it, and give its path."
        )
    if scheme == "file":
        return _path_of(text)
    return text


def _scheme_of(text: str) -> str | None:
    found = _SCHEME.match(text)
    return None if found is None else found[1].lower()


def _path_of(url: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - few sweeps have a source
    from urllib.request import url2pathname  # noqa: PLC0415

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(
            f"resume_from={url!r} names the machine {parts.netloc!r}: file:// is for files of this "
            f"one, as file://{parts.path or '/folder'}"
        )
    return url2pathname(parts.path)


@contextmanager
def opened(given: str, inside: Sequence[str]) -> Iterator[Source | None]:
    """The source that *given* names, as `checked` gave it; None where there is none.

    Args:
        given: A log, or a folder.
        inside: Where the log may lie in a folder, the likeliest first.

    Raises:
        StoreError: Whether there is one cannot be told: it does not answer, or may not be read.
    """
    import tempfile  # noqa: PLC0415 - few sweeps have a source

    with tempfile.TemporaryDirectory(prefix="resume-") as scratch:
        find = _in_files if _scheme_of(given) is None else _at_address
        yield find(given, inside, Path(scratch))


# --- files ----------------------------------------------------------------------------------------


def _in_files(given: str, inside: Sequence[str], scratch: Path) -> Source | None:
    whole = Path(os.path.abspath(given))  # noqa: PTH100 - no link is resolved
    try:
        names = inside if whole.is_dir() else [""]
        for path in (whole / name for name in names):
            if _is_there(path):
                return _found(path, scratch / "sweep.jsonl")
    except OSError as why:
        raise _unreachable(str(whole), files.reason(why)) from why
    return None


def _found(path: Path, copy: Path) -> Source:
    why = trust.complaint(path.stat())
    if why is None and _is_there(beside(path)):
        why = trust.complaint(beside(path).stat())
    if why is None:
        return Source(path, str(path))
    _copied(path, copy)
    return Source(copy, str(path), why)


def _copied(path: Path, copy: Path) -> bool:
    import shutil  # noqa: PLC0415 - as above

    try:
        shutil.copyfile(path, copy)
    except FileNotFoundError:
        return False
    except OSError as why:
        raise _unreachable(str(path), files.reason(why)) from why
    return True


def _is_there(path: Path) -> bool:
    try:
        path.stat()  # unlike exists(), it tells a refusal from a missing file
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


# --- addresses ------------------------------------------------------------------------------------


def _at_address(given: str, inside: Sequence[str], scratch: Path) -> Source | None:
    from urllib.parse import quote, urlsplit  # noqa: PLC0415 - as above

    if urlsplit(given).path.endswith(".jsonl"):
        urls = [given]
    else:
        urls = [_with_path(given, "/" + quote(name)) for name in inside]
    for url in urls:
        log = scratch / "sweep.jsonl"
        if _fetched(url, log):
            return Source(log, url, "it came from an address, and anybody may have written it")
    return None


def _with_path(url: str, more: str) -> str:
    """*url*, whose path goes on with *more*; a query stays."""
    from urllib.parse import urlsplit  # noqa: PLC0415

    parts = urlsplit(url)
    path = parts.path.rstrip("/") if more.startswith("/") else parts.path
    return parts._replace(path=path + more).geturl()


def _fetched(url: str, target: Path) -> bool:
    """Write what lies at *url* to *target*; False where there is nothing.

    Raises:
        StoreError: It does not answer, or not in full.
    """
    import http.client  # noqa: PLC0415
    from urllib.error import HTTPError  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer, target.open("wb") as out:  # noqa: S310
            while data := answer.read(_PIECE):
                out.write(data)
            told = answer.headers.get("Content-Length")
            if told is not None and out.tell() != int(told):
                raise _unreachable(url, f"the answer ended at byte {out.tell()} of {told}")
    except HTTPError as why:
        with why:
            if why.code in _MISSING:
                return False
            raise _unreachable(url, f"the server says {why.code} {why.reason}") from why
    except (OSError, http.client.HTTPException) as why:
        reason = getattr(why, "reason", why)
        told = files.reason(reason) if isinstance(reason, OSError) else str(reason)
        raise _unreachable(url, told or type(why).__name__) from why
    return True


def _unreachable(shown: str, why: str) -> StoreError:
    return StoreError(
        f"cannot read {shown}, from which the sweep is to go on: {why}. Whether it holds results "
        "is not known, so nothing was begun; nothing was changed, there or here. Start again when "
        "it can be read, or leave resume_from= out to go on without it."
    )
