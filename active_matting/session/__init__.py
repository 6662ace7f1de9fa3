"""The interactive loop without any user interface: suggest → answer → solve → matte."""

from active_matting.session.agent import Agent, GainAgent, HeatmapAgent
from active_matting.session.history import Timing
from active_matting.session.query import QuerySession

__all__ = ["Agent", "GainAgent", "HeatmapAgent", "QuerySession", "Timing"]
