"""Statements to the mesh (IR). `program.lower_program` is the whole of it; each other module lowers one kind."""
