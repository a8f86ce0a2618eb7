"""Other machines: bundles are put to and fetched from folders behind ssh, and OCI registries.

Standard library and the system's ssh only, so that a host fetches without more being installed.
"""
