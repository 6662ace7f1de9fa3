"""What a person is told of a session besides its pictures."""

from collections import Counter
from typing import Any

from active_matting.labels import Click, RegionAnswer, Skip, Stroke
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.types import Label


def describe(session: QuerySession) -> dict[str, Any]:
    """JSON-able: shape, budget, what was said and how often, what can be done, how long an answer takes.

    "spent": of the budget. "answers": the answered and skipped regions in order, see `place`, each with its "label".
    "counts": by label, and of skips, clicks and strokes. "seconds_per_answer": the person's mean, or None.
    """
    said = session.interactions
    asked = [each for each in said if isinstance(each, RegionAnswer | Skip)]
    taken = [timing.person for timing in session.timings if timing.person is not None]
    return {
        "shape": list(session.shape),
        "region_size": session.region_size,
        "budget": session.budget,
        "spent": sum(not isinstance(each, Skip) for each in said),
        "answers": [place(each.region) | {"label": _name(each)} for each in asked],
        "counts": dict(Counter(_name(each) for each in said)),
        "knows_both": {Label.FOREGROUND, Label.BACKGROUND} <= {each.label for each in said},
        "can_undo": session.can_undo,
        "can_redo": session.can_redo,
        "has_agent": session.agent is not None,
        "has_heatmap": session.has_heatmap,
        "seconds_per_answer": sum(taken) / len(taken) if taken else None,
    }


def place(region: Region) -> dict[str, Any]:
    """The square's corner and side, pixels."""
    return {"top": region.top, "left": region.left, "side": region.side}


def _name(said: RegionAnswer | Click | Stroke | Skip) -> str:
    match said:
        case Skip():
            return "skipped"
        case Click():
            return "clicks"
        case Stroke():
            return "strokes"
        case RegionAnswer(_, label):
            return label.name.lower()
