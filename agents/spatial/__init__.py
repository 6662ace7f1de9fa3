"""The agent that sees space: a heat map of where to ask, over the image.

grid: cells, and the squares to be asked about. network: from what is seen to the heat map. agent: behind `predict`.
episodes, merit, targets, learning: what it learns from and how. training: from a recipe to an agent. reinforce: beyond
imitation, by reward.
"""

from active_matting.agents.spatial.agent import SpatialAgent, spatial_agent
from active_matting.agents.spatial.network import SpatialConfig, SpatialPolicy

__all__ = ["SpatialAgent", "SpatialConfig", "SpatialPolicy", "spatial_agent"]
