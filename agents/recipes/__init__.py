"""Trainings of agents as TOML files; `README.md` explains every key."""
