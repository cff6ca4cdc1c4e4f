"""``%%ray_tune``: hyperparameter search with Ray Tune."""
