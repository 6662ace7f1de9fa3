"""The parts of large-kernel matting: its windows, the product with its Laplacian, a coarse form as preconditioner."""
