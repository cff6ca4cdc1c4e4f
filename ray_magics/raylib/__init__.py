"""The only place that touches private API of Ray, one guarded module for each subject.

Each module lists the private names that it uses in its table `PRIVATE`; `python -m ray_magics.raylib` says which of
them the installed Ray still has. A function without a fallback raises RayApiMissing, in one line.
"""
