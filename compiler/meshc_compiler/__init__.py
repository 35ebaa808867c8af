"""The compiler wing: syntax trees to the mesh (IR), checks, evaluation, explanations.

Read in the order in which control passes: `loader` (files to a program), `resolve` (names to what they mean), `lower`
(statements to the mesh), `checks` (what is wrong with it), `evaluate` (the reference semantics), `why` (explanations).
`pipeline` holds the stages as a tuple.
"""
