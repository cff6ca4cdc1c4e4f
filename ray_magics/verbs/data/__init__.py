"""``%%ray_data``: datasets of Ray Data, and the view of what they execute."""
