"""Network policies read back: who may connect to whom, as Kubernetes documents it."""
