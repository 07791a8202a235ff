"""Hostile input for the three Lambda functions, as API Gateway and EventBridge would hand it over.

cases      what one run is: the name of a function, and an event; seeds of them
mutation   another case made of one
world      the functions, on a database whose customers are the same at each run
invariants what must hold of any answer, whatever was asked
shrinking  the smallest case that still breaks what a case broke
target     all of that, driven by libFuzzer in an environment of its own
"""
