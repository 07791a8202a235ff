"""Load test with thresholds (`make load`) and soak test (`make soak`), against a running service.

Requests are sent when they are due, even if earlier ones are still waiting, and their latency is
counted from then. So a stalled service cannot slow down the measurement ("coordinated omission",
https://www.youtube.com/watch?v=lJ8ydIuPFeU). The tests see the service only as a client does.
"""
