"""The stages of shared sampling: rays and expansion, gathering, refinement, smoothing."""
