"""Supervised training of the weights that the package ships."""
