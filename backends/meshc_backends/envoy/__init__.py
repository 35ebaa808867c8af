"""The Envoy backend: one static bootstrap (Envoy 1.40) for each workload's slice of the mesh.

A file for each of Envoy's own words; `bootstrap` puts them together, `backend` writes the files.
"""
