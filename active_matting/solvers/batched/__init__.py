"""Solvers in torch that solve many images or label maps at once, on a CPU or a GPU; each follows its twin outside."""
