"""The compiler wing: syntax trees to the mesh (IR), checks, evaluation, explanations.

Read in the order in which control passes: `loader` (files to a program), `resolve` (names to what they mean), `lower`
(statements to the mesh), `space` (sets of requests, exactly), `checks` (what is wrong with a mesh), `pipeline` (all of
that in order). Then what is asked of a mesh: `evaluate` (the reference semantics, with `path` and `regex`), `request`
(requests as users write them), `examples` (the `test` blocks), `why` (explanations).
"""
