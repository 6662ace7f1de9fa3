"""What the layers are called in the authors' checkpoints, and what here."""

import re

_PARTS = {
    "decoder.ppm.": "decoder.pyramid.scales.",
    "decoder.usr_encoder.": "interaction.",
    "decoder.guided_map_conv1.": "guide.0.",
    "decoder.guided_map_conv2.": "guide.2.",
}
"""Beginnings of names, theirs and ours. The encoder's normalisations are bn1, bn2, … there, norm1, norm2, … here."""


def our_name(theirs: str) -> str:
    """The name here of what the authors call `theirs`; a name that neither knows stays as it is.

    >>> our_name("encoder.layer1.0.bn2.weight"), our_name("decoder.ppm.3.1.bias")
    ('encoder.layer1.0.norm2.weight', 'decoder.pyramid.scales.3.1.bias')
    """
    for beginning, ours in _PARTS.items():
        if theirs.startswith(beginning):
            return ours + theirs.removeprefix(beginning)
    return re.sub(r"\.bn(\d+)\.", r".norm\1.", theirs) if theirs.startswith("encoder.") else theirs


def their_name(ours: str) -> str:
    """What the authors call `ours`, the inverse of `our_name`.

    >>> their_name("guide.2.bias")
    'decoder.guided_map_conv2.bias'
    """
    for beginning, our_beginning in _PARTS.items():
        if ours.startswith(our_beginning):
            return beginning + ours.removeprefix(our_beginning)
    return re.sub(r"\.norm(\d+)\.", r".bn\1.", ours) if ours.startswith("encoder.") else ours


def both_names(ours: str) -> str:
    """Theirs, and where it differs ours behind it in brackets."""
    theirs = their_name(ours)
    return theirs if theirs == ours else f"{theirs} ({ours} here)"


def plain_name(stored: str) -> str:
    """A stored name without what training in parallel put before it and what old exports put into it.

    >>> plain_name("module.encoder._tmp_conv1.weight")
    'encoder.conv1.weight'
    """
    while stored.startswith("module."):
        stored = stored.removeprefix("module.")
    return stored.replace("_tmp_", "")
