"""What is searched: YAML files become validated spaces that suggest through Optuna."""

from tuning.space._space import Space, build_params, check_against_model, load_space

__all__ = ["Space", "build_params", "check_against_model", "load_space"]
