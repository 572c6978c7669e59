"""Whether a file may be unpickled: who can have written it, or whose key signed it.

A pickle is a program. So a generation is trusted like the program that reads it: its files belong
to the user who runs it, to root, or to the owner of the program's own source file (root over a
user's files runs that user's program already), and not everybody can write to them. All is asked of
the open descriptor whose bytes are used: a name may stand for another file a moment later.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import stat
import sys
from pathlib import Path

from resume.errors import ConfigError, TrustError
from resume.types import Manifest

_log = logging.getLogger(__name__)

_KEY_BYTES = 32
_READ_BYTES = 1 << 16


def is_waived(trust: bool | None) -> bool:  # noqa: FBT001 - the keyword itself
    """Whether the user vouches for the files: `trust=True`, or `RESUME_TRUST=1` and no keyword."""
    if trust is not None:
        return trust
    return os.environ.get("RESUME_TRUST", "") not in ("", "0")


def complaint(found: os.stat_result) -> str | None:
    """Why an open file with this fstat may not be trusted, or None where it may."""
    if not hasattr(os, "geteuid"):  # pragma: no cover - Windows: ownership is no number there
        return None
    if found.st_uid not in trusted_owners():
        runs_as = _user(os.geteuid())
        return f"it belongs to {_user(found.st_uid)}, and this program runs as {runs_as}"
    if found.st_mode & stat.S_IWOTH:
        return "every user of this machine can write to it"
    return None


def trusted_owners() -> set[int]:
    """User ids whose files are as good as the program: its user, root, the owner of its source."""
    owners = {os.geteuid(), 0}
    source = getattr(sys.modules.get("__main__"), "__file__", None)
    if source:
        try:
            owners.add(os.stat(source).st_uid)  # noqa: PTH116
        except OSError as why:  # the source was moved away meanwhile: one owner less
            _log.debug("no owner of %s: %s", source, why)
    return owners


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def refusal(path: Path, why: str) -> TrustError:
    """The error for the file *path*, with every remedy."""
    return TrustError(
        f"{path} is not trusted: {why}. Nothing of it was unpickled; it stays as it is.\n"
        "If you know who wrote it: trust=True or RESUME_TRUST=1, or take it over with chown and "
        "chmod o-w, or have it signed (RESUME_KEY, `resume key new`); or start anew with "
        "clean=True."
    )


def sign(digest: str) -> str | None:
    """The signature of a manifest with this digest, or None without a key."""
    key = find_key()
    return None if key is None else _mac(key, digest)


def is_signed(manifest: Manifest) -> bool:
    """Whether *manifest* carries a signature that the user's key made."""
    key = find_key()
    if key is None or not isinstance(manifest.signature, str):
        return False
    return hmac.compare_digest(_mac(key, manifest.digest).encode(), manifest.signature.encode())


def _mac(key: bytes, digest: str) -> str:
    return hmac.new(key, f"resume manifest {digest}".encode(), hashlib.sha256).hexdigest()


def find_key() -> bytes | None:
    """The key: `RESUME_KEY`, or the user's key file; None without either."""
    text = os.environ.get("RESUME_KEY")
    if text:
        return text.encode("utf-8", "surrogateescape")
    return _read_key(key_path())


def key_path() -> Path:
    """Where `resume key new` keeps the user's key."""
    import platformdirs  # noqa: PLC0415 - 5 ms that only a save or a foreign file needs

    return Path(platformdirs.user_config_dir("resume")) / "key"


def _read_key(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except OSError as why:
        _log.warning("the key file %s is not used: %s", path, why.strerror)
        return None
    try:
        found = os.fstat(descriptor)
        if os.name == "posix" and (found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o077):
            _log.warning("the key file %s is not used: others may read it; chmod 600 it", path)
            return None
        return os.read(descriptor, _READ_BYTES).strip() or None
    except OSError as why:
        _log.warning("the key file %s is not used: %s", path, why.strerror)
        return None
    finally:
        os.close(descriptor)


def new_key() -> Path:
    """Make the user's key file, readable by the user alone, and return where it lies.

    Raises:
        ConfigError: There is one already; it is as it was.
    """
    path = key_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as why:
        raise ConfigError(
            f"{path} is there already: what it signed would not verify with another key. "
            "Move it away first if that is what you want."
        ) from why
    with open(descriptor, "w", encoding="ascii") as out:  # noqa: PTH123
        out.write(secrets.token_hex(_KEY_BYTES) + "\n")
    return path
