"""The language server: `analysis` knows what to answer, `server` speaks the protocol, `worker` compiles beside it."""
