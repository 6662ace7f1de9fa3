"""The environments' page, made of their docstrings: `python -m active_matting.envs.document docs/environments.md`."""

import argparse
import ast
import inspect
import textwrap
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import gymnasium

from active_matting.environments import ENVIRONMENTS
from active_matting.envs import settings
from active_matting.envs.vector import BatchEnv
from active_matting.files import written_whole

_HEAD = """# The environments

Made from the docstrings by `python -m active_matting.envs.document docs/environments.md`.

```python
import gymnasium

env = gymnasium.make("active_matting:ActiveMatting/Regions-v0", image_size=100, region_size=5)
envs = gymnasium.make_vec("active_matting:ActiveMatting/RegionGrid-v0", num_envs=8, image_size=100, region_size=5)
```

All arguments are JSON-able, so that a spec survives `spec.to_json()` and works in spawned processes. Any change of
behaviour is a new version."""


def document() -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    for name in ENVIRONMENTS:
        env = gymnasium.make(name).unwrapped
        text = inspect.getdoc(type(env)) or ""
        parts += [f"## {name}", _spaces(env), text.replace("\n## ", "\n### ")]
    parts += ["## Batches", inspect.getdoc(BatchEnv) or ""]
    parts += ["## Arguments of all environments", _arguments()]
    return "\n\n".join(parts) + "\n"


def _spaces(env: gymnasium.Env[Any, Any]) -> str:
    observation = ", ".join(f"`{name}`" for name in env.observation_space)  # type: ignore[attr-defined]
    rows = [("Action space", f"`{env.action_space}`"), ("Observation space", observation)]
    return "\n".join(["| by default | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _arguments() -> str:
    """A table of the settings: name, default, what is written below it in the source."""
    texts = _texts_below_fields(settings.Settings)
    rows = []
    for each in fields(settings.Settings):
        default = each.default if each.default is not MISSING else {}
        rows.append(f"| `{each.name}` | `{default!r}` | {texts[each.name]} |")
    return "\n".join(["| argument | default | meaning |", "|---|---|---|", *rows])


def _texts_below_fields(made: type) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(made))).body
    assert isinstance(definition, ast.ClassDef)
    texts, name = {}, ""
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            texts[name] = " ".join(str(node.value.value).split())
            name = ""
    return texts


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="where the page is written, such as docs/environments.md")
    with written_whole(parser.parse_args().output) as temporary:
        temporary.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
