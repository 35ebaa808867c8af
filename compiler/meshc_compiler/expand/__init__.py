"""Tree to tree: `let`, `template` and `use`, overlays. What comes out has plain statements only.

Every node that was moved or made keeps its place in the source, and its span says how it came where it stands
(`meshc_lang.source.ExpandedSpan`): `provenance` makes labels of that for whatever is found out about it later.
"""
