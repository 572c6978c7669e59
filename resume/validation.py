"""Whether a generation may be restored into this program: same file, same loops, same config."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resume import notices
from resume.engine import Origin
from resume.errors import CodeChangedError, ConfigChangedError, ConfigError
from resume.position import Position
from resume.settings import Settings, config_differences
from resume.types import Manifest


@dataclass(frozen=True, slots=True)
class Verdict:
    """A generation fits, perhaps with a reservation."""

    is_same_code: bool = True
    restart: str | None = None
    """Why to start anew instead."""


def check_generation(manifest: Manifest, origin: Origin, settings: Settings) -> Verdict:
    """Whether *manifest* belongs to the program that runs.

    Raises:
        ConfigError: It was saved by another file's function of the same name.
        CodeChangedError: The function's loops are others now.
        ConfigChangedError: `config=` is another now.
    """
    _check_file(manifest, origin)
    _check_config(manifest, settings)
    return _check_code(manifest, origin, settings)


def _check_file(manifest: Manifest, origin: Origin) -> None:
    saved = manifest.draft.file
    if saved is None or origin.file is None or saved == origin.file:
        return
    raise ConfigError(
        f"checkpoint {manifest.name!r} was saved by {manifest.draft.function} in {saved}, and this "
        f"is {origin.function} in {origin.file}. Nothing was changed. Give this one a name of its "
        f"own, Checkpoint(name='...'), or start anew with Checkpoint(clean=True) if the file moved"
    )


def _check_config(manifest: Manifest, settings: Settings) -> None:
    if manifest.draft.config is None and settings.config is None:
        return
    changed = [
        (path, old, new)
        for path, old, new in config_differences(manifest.draft.config, settings.config)
        if not any(fnmatch.fnmatchcase(path, pattern) for pattern in settings.overridable)
    ]
    if not changed:
        return
    listed = "\n".join(f"  {path}: saved {old}, now {new}" for path, old, new in changed)
    raise ConfigChangedError(
        f"config differs from that of generation {manifest.number} of {manifest.name!r}:\n"
        f"{listed}\nNothing was changed. Put it back, allow it with overridable=[...], or start "
        "anew with Checkpoint(clean=True)"
    )


def _check_code(manifest: Manifest, origin: Origin, settings: Settings) -> Verdict:
    saved, now = manifest.draft.code, origin.code
    if not saved or not now or _is_same(saved, now):
        return Verdict()
    difference = _diff(saved, now)
    is_named = all(not _is_ordinal(key) for key in _keys(manifest))
    if saved.get("tree") == now.get("tree") or (is_named and _keys(manifest)):
        notices.say(
            "%s: the code of %s has changed since generation %d; its loops are the same, going on",
            manifest.name, origin.function, manifest.number,
        )  # fmt: skip
        return Verdict(is_same_code=False)
    if settings.on_change == "restart":
        return Verdict(restart=f"the loops of {origin.function} have changed")
    if settings.on_change == "continue":
        notices.say(
            "%s: the loops of %s have changed; going on as told", manifest.name, origin.function
        )
        return Verdict(is_same_code=False)
    raise CodeChangedError(
        f"the loops of {origin.function} are not those of generation {manifest.number} of "
        f"{manifest.name!r}:\n{difference}\nNothing was changed. Put the code back, or choose: "
        "Checkpoint(on_change='continue') takes the state all the same, on_change='restart' starts "
        "anew"
    )


def _is_same(saved: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if saved.get("python") == now.get("python"):
        return bool(saved.get("fingerprint") == now.get("fingerprint"))
    digests = saved.get("source_digest"), now.get("source_digest")
    if None not in digests:
        return bool(digests[0] == digests[1])
    return bool(saved.get("tree") == now.get("tree"))


def _keys(manifest: Manifest) -> list[str]:
    position = Position.from_json(manifest.draft.position)
    return [loop.key for loop in position.loops] + [k for level in position.finished for k in level]


def _is_ordinal(key: str) -> bool:
    return key.rpartition(":")[2].removeprefix("for").isdigit()


def _diff(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = saved.get("source"), now.get("source")
    if not old or not new:
        return f"  loops saved: {saved.get('tree')}, now: {now.get('tree')}"
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), "saved", "now", lineterm="", n=1
    )
    return "\n".join(f"  {line}" for line in list(lines)[:40])
