"""Episodes that were played before, kept in a folder of the user's cache: playing takes long, and runs share them."""

from collections.abc import Callable, Mapping
from typing import Any

from active_matting.cache import Arrays, Cache, default_folder, make_key
from active_matting.training.lessons import Sources

LIMIT = 8 * 1024**3


def kept_episode(
    kind: str, made_by: Mapping[str, Any], episode: int, held_out: bool, play: Callable[[int, bool], Arrays]
) -> Arrays:
    """What `play(episode, held_out)` returns, from the cache where it is there; `made_by`: all else it depends on."""
    key = make_key(episode=episode, held_out=held_out, **made_by)
    return Cache(default_folder() / "training", LIMIT).arrays(kind, key, lambda: play(episode, held_out))


def drawn_from(sources: Sources) -> dict[str, list[list[Any]]]:
    """The names and sizes of the files that lessons come from, by kind, as a part of `made_by`."""
    return {name: [[path.name, path.stat().st_size] for path in paths] for name, paths in sources.files().items()}
