"""The proxy: a snapshot of policy in, decisions and bytes out; it imports nothing of the compiler."""
