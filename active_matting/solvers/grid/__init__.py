"""Laplacians that tie near pixels alone, solved directly: nested dissection of the pixel grid, refactored in parts."""
