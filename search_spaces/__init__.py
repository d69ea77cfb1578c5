"""The shipped search spaces: one YAML file per model family, same stem as its file in `models`."""
