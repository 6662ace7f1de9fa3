"""Networks as solvers: see `active_matting.solvers.network.solver`."""
