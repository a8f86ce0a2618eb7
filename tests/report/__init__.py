"""Tests of the report: what is read, what is drawn, and the page in a real browser."""
