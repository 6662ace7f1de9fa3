"""Recipes of the spatial agent, as files."""
