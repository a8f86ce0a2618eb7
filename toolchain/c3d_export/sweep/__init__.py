"""Sweeps: many trainings from one table, on this host, Slurm or dask.

A task is a cell of the table, and its stages are ordinary command lines. Nothing here knows what
they do; the command line says how one goes on and where it logs.
"""
