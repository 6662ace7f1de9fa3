"""Samples that a CSV file lists."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from active_matting.data.entries import Entry, Matte, Pair
from active_matting.data.listed import Listed
from active_matting.errors import FileError


@dataclass(frozen=True)
class Table(Listed):
    """The rows of a CSV file with columns `image` and `alpha`, and if wanted `trimap` and `name`.

    path: the file, in UTF-8, with commas; paths in it are relative to its folder, or absolute. A sample without a
    `name` is called by its image's file without suffix; an empty `trimap` is none. Other columns are passed over.
    missing: see `Listed`. Raises `FileError` where a column, or a row's image or alpha, is missing.
    """

    path: str
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        try:
            with open(root, newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, strict=True)
                columns, rows = reader.fieldnames or [], [(reader.line_num, row) for row in reader]
        except FileNotFoundError as error:
            raise FileError(f"{root} does not exist") from error
        except (OSError, ValueError, csv.Error) as error:
            raise FileError(f"{root} cannot be read as a CSV file: {error}") from error
        for column in ("image", "alpha"):
            if column not in columns:
                raise FileError(f"{root} must have a column {column}, its first line has {list(columns)}")
            for line, row in rows:
                if not row[column]:
                    raise FileError(f"{root} has no {column} in line {line}")
        return [_entry(root.parent, row) for _, row in rows]


def _entry(folder: Path, row: dict[str, str]) -> Entry:
    image, trimap = folder / row["image"], row.get("trimap")
    return Pair(row.get("name") or image.stem, image, Matte(folder / row["alpha"]), folder / trimap if trimap else None)
