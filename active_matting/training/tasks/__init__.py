"""Tasks by name. To add one: a file in this folder and a line in `TASKS`; the contract is in `training/task.py`."""

from active_matting.registry import Registry

TASKS = Registry(
    kind="task",
    group="active_matting.tasks",
    table={
        "answers": "active_matting.training.tasks.answers:Answers",
        "bands": "active_matting.training.tasks.bands:Bands",
        "corrections": "active_matting.training.tasks.corrections:Corrections",
        "trimaps": "active_matting.training.tasks.trimaps:Trimaps",
    },
)
