"""How good a matte or a selection is: mattes in `matting`, selections and clicks in `segmentation`."""

from active_matting.metrics.matting import (
    METRICS,
    SCALINGS,
    Mask,
    all_metrics,
    conn,
    grad,
    gradient_magnitude,
    largest_component,
    mad,
    mse,
    rmse,
    sad,
    scaled,
    unknown_region,
)
from active_matting.metrics.segmentation import auc, corrective_accuracy, failures, iou, noc, share_above

__all__ = [
    "METRICS",
    "SCALINGS",
    "Mask",
    "all_metrics",
    "auc",
    "conn",
    "corrective_accuracy",
    "failures",
    "grad",
    "gradient_magnitude",
    "iou",
    "largest_component",
    "mad",
    "mse",
    "noc",
    "rmse",
    "sad",
    "scaled",
    "share_above",
    "unknown_region",
]
