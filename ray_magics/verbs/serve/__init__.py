"""``%%ray_serve``: web services with Ray Serve."""
