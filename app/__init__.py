"""The composition root: settings, wiring, the command line and the web endpoints.

The only room that may import all the others; nothing imports it.
"""
