"""``%%ray_train``: a training loop in a cell, distributed with Ray Train."""
