"""The host side of bundles with float transforms and an exact entropy path."""
