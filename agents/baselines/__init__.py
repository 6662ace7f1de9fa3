"""Agents that a learned one must beat, or cannot: a file each. Names are in `active_matting.agents.AGENTS`.

B1 to B4 are those of Active Matting, sec. 3.1. Two know the true alpha and are bounds: `greedy` (B1) and
`error_seeking`. `region_cnn` (B2) was trained. The others need no training and choose among the cells of a grid:
`random_regions` (B4, which takes any place), `clustering` (B3), `uncertainty`, `coverage`.
"""
