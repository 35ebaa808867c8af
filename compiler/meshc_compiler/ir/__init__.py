"""The mesh as a value: all that a backend needs, in no target's words. `mesh.Mesh` is the root."""
