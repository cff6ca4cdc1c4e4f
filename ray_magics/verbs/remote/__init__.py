"""``%%ray_remote``: a cell as a task, as definitions, or once per item."""
