"""What scripts/train-catalogue runs: it trains, prunes, tunes, bundles and evaluates all codecs.

    options -> rounds -> build (a network: start, train, bundle, validate, compare, take)
            -> evaluate -> report

`tree` says which network starts from which, `ledger` keeps what was done, `measure` draws curves
from real files. Bundles are the only thing that is carried from one round to the next.
"""
