"""Training runs as TOML files; `README.md` explains every key."""
