"""`python -m benchmarks.proxy`: what a request costs."""

from benchmarks.proxy.small_get import main

main()
