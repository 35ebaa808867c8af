"""Who can call a service: directly, with which requests; and through others, call by call."""
