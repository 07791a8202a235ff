"""Load with pass marks (`make load`) and a soak (`make soak`), against a running service.

Requests are sent when they are due, whether those before them have been answered or not, and their
time is counted from then: a service that stalls can't slow down who measures it ("coordinated
omission", https://www.youtube.com/watch?v=lJ8ydIuPFeU). Nothing here looks into the service: it is
what a client sees.
"""
