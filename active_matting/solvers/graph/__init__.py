"""Laplacians that tie pixels anywhere, solved by conjugate gradients behind a hierarchy of coarser graphs."""
