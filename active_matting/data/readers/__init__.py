"""Readers of the published data sets, in the layouts they are published in. None of the sets is part of the package.

To add one: a frozen dataclass that is `Listed` and says where things lie, a line in `active_matting.data.SOURCES`, and
its signs in `layouts`, by which `active-matting data check` and `--data` know its folder.
"""
