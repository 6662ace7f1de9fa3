"""Settings from TOML documents, with errors that name the key: `InvalidArgumentError`."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError

Section = TypeVar("Section")
Made = TypeVar("Made")


def document_names(package: str) -> list[str]:
    """The names of the recipes in a package of such files."""
    return sorted(file.name.removesuffix(".toml") for file in files(package).iterdir() if file.name.endswith(".toml"))


def read_document(package: str, name: str | Path, make: Callable[[Mapping[str, Any]], Made]) -> Made:
    """What `make` makes of the package's recipe of this name, or of this TOML file.

    Raises `UnknownNameError`, `FileError` and, naming the file, `InvalidArgumentError`.
    """
    if str(name).endswith(".toml"):
        return _read(Path(name), make)
    if name not in document_names(package):
        known = document_names(package)
        raise UnknownNameError(f"unknown recipe {str(name)!r}; choose from {known}, or give a .toml file")
    with as_file(files(package) / f"{name}.toml") as path:
        return _read(path, make)


def read_section(kind: type[Section], table: Mapping[str, Any], where: str) -> Section:
    """The dataclass `kind` with the values of `table`, which is called `where` in errors."""
    check_keys(kind, table, where)
    hints = get_type_hints(kind)
    values = {name: read_value(hints[name], value, f"{where}.{name}") for name, value in table.items()}
    try:
        return kind(**values)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{where}.{error}") from error


def check_keys(kind: Any, table: Mapping[str, Any], where: str) -> None:
    """Raise `InvalidArgumentError` for keys that the dataclass `kind` has not, and for those that it needs."""
    known = {one.name: one for one in fields(kind)}
    for name in table:
        if name not in known:
            raise InvalidArgumentError(f"unknown key {name!r} in {where}; choose from {list(known)}")
    for name, one in known.items():
        if name not in table and one.default is MISSING and one.default_factory is MISSING:
            raise InvalidArgumentError(f"{where} lacks {name!r}")


def read_value(kind: Any, value: Any, where: str) -> Any:
    """`value`, as TOML or JSON has it, as the type `kind`."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in inner:
            raise InvalidArgumentError(f"{where} must be one of {list(inner)}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple) or (inner[-1] is not Ellipsis and len(inner) != len(value)):
            count = "" if inner[-1] is Ellipsis else f" of {len(inner)}"
            raise InvalidArgumentError(f"{where} must be a list{count}, got {value!r}")
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(
            read_value(each, item, f"{where}[{i}]") for i, (each, item) in enumerate(zip(kinds, value, strict=True))
        )
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        return float(value)
    if not isinstance(value, kind) or (kind is int and not is_number):
        raise InvalidArgumentError(f"{where} must be {kind.__name__}, got {value!r}")
    return value


def _read(path: Path, make: Callable[[Mapping[str, Any]], Made]) -> Made:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"{path} is not a TOML file: {error}") from error
    try:
        return make(table)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{path}: {error}") from error
