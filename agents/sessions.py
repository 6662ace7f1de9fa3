"""Opening a saved session by what its file says: image, solver and agent."""

import warnings
from pathlib import Path
from typing import Any

from active_matting.agents import AGENTS, make_agent
from active_matting.cache import hash_of_file
from active_matting.data.images import read_image
from active_matting.errors import FileError
from active_matting.full_size import shrink
from active_matting.session import Agent, QuerySession
from active_matting.session.document import ImageReference, SessionDocument
from active_matting.solvers import SOLVERS, Solver, make_solver
from active_matting.types import Image


def open_session(
    path: Path | str,
    image: Image | None = None,
    *,
    solver: Solver | None = None,
    agent: Agent | None = None,
    autosave: Path | str | None = None,
) -> QuerySession:
    """The session in a file, replayed to the same matte, with the image, the solver and the agent that it names.

    image: float32 `(H, W, 3)`, or a photograph of which it is the shrunk version; read from where the file says unless
    it is given. solver, agent: in place of those named. autosave: see `QuerySession`; it may be `path`. Where solver or
    agent come from another version of a package than they did, that is warned of: the matte may be another.
    Raises `FileError` where a file is missing or is another than it was, or where no image or solver is named or given;
    `UnknownNameError` where a name is not known here.
    """
    document = SessionDocument.read(path)
    if image is None:
        image = _read(document.image, path)
    if image.shape[:2] != document.image.shape:
        image = shrink(image, max(document.image.shape))
    if solver is None:
        if document.solver is None:
            raise FileError(f"{path} does not name its solver; give one as open_session(..., solver=...)")
        solver = make_solver(_name(document.solver, path), **document.solver.get("kwargs", {}))
        _compare(document.solver, SOLVERS.version_of(document.solver["name"]), path)
    if agent is None and document.agent is not None:
        name = _name(document.agent, path)
        agent = make_agent(name, seed=document.agent.get("seed", 0), **document.agent.get("kwargs", {}))
        _compare(document.agent, AGENTS.version_of(name.partition(":")[0]), path)
    return QuerySession.load(path, image, solver, agent, autosave=autosave)


def _read(reference: ImageReference, path: Path | str) -> Image:
    if reference.path is None:
        raise FileError(f"{path} does not say where its image lies; give it as open_session(..., image=...)")
    file = Path(reference.path)
    if not file.exists() and (beside := Path(path).parent / file.name).exists():
        file = beside  # both were moved together
    if reference.file_sha256 is not None and file.exists() and (found := hash_of_file(file)) != reference.file_sha256:
        raise FileError(f"{file} is not the file that {path} is of: SHA-256 {reference.file_sha256}, got {found}")
    return read_image(file)


def _name(made: dict[str, Any], path: Path | str) -> str:
    name = made.get("name") if isinstance(made, dict) else None
    if not isinstance(name, str):
        raise FileError(f"{path} is not a whole session: {made!r} names nothing")
    return name


def _compare(made: dict[str, Any], installed: str, path: Path | str) -> None:
    if made.get("version") != installed:
        warnings.warn(
            f"{path} was made with {made['name']!r} of version {made.get('version')}, installed is {installed}; "
            "the matte may be another",
            stacklevel=3,
        )
